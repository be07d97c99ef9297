"""Expected running time: what a hit costs when misses are tried again."""

import numpy as np

from bnbench.scoring.times import Times


def expected_running_time(times: Times) -> float | None:
    """Return ERT = Σ min(t, T) ÷ hits, in steps: all steps spent, misses with the whole budget; None without a hit.

    The mean number of steps until a hit, were a missed run started again with another seed (Hansen et al.,
    arXiv:1603.08785).

    >>> expected_running_time(Times(np.array([20., 40., 100.]), np.array([True, True, False]), 100))
    80.0
    """
    hits = int(np.sum(times.reached))
    return float(np.sum(times.steps)) / hits if hits else None
