"""Seeds that stay finite and learn nothing: stalled, not stable."""

import numpy as np

from bnbench.scoring.times import Bools, Floats

STALLED_SHARE = 0.05
"""Of the way from the trivial predictor to the goal: who never gets beyond has learnt nothing worth the name."""


def stalled(values: Floats, diverged: Bools, *, trivial: float | None, goal: float | None, direction: str) -> Bools:
    """Return which seeds (n,) never diverge and never get beyond trivial + 5 % · (goal − trivial).

    `values` (n, g) is the metric, `direction` "max" or "min". Nobody is called stalled where the trivial value or the
    goal is not known, or the goal is no better than the trivial value.

    >>> values = np.array([[0.1, 0.11, 0.12], [0.1, 0.5, 0.9], [0.1, 0.1, np.nan]])
    >>> stalled(values, np.array([False, False, True]), trivial=0.1, goal=0.95, direction="max")
    array([ True, False, False])
    """
    sign = 1.0 if direction == "max" else -1.0
    if trivial is None or goal is None or not np.isfinite(trivial) or sign * (goal - trivial) <= 0:
        return np.zeros(len(values), dtype=bool)
    furthest = np.max(np.where(np.isfinite(values), sign * values, -np.inf), axis=1)
    bound = sign * (trivial + STALLED_SHARE * (goal - trivial))
    never: Bools = (furthest <= bound) & ~diverged
    return never
