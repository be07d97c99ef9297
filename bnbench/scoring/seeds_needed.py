"""How many more seeds would decide a comparison that is still open."""

from math import ceil

import numpy as np
from scipy.special import ndtri

from bnbench.scoring.sign_flip import pairs_needed
from bnbench.scoring.times import Floats

POWER = 0.8
MOST_SEEDS = 1000


def more_seeds(differences: Floats, *, alpha: float, comparisons: int, power: float = POWER) -> int | None:
    """Return about how many more pairs give the paired test `power` at alpha/comparisons, None beyond a thousand.

    With δ = |mean| / s of the observed `differences` (n,), n' = ((z_{1−α/2} + z_power)/δ)² + z²_{1−α/2}/2 (the normal
    formula with Guenther's correction for Student's t, 1981), and never fewer than the pairs whose smallest p can pass
    at all. None also where nothing points to a difference: a zero mean, or fewer than two pairs to see a spread in.

    >>> more_seeds(np.array([-10., 30., 10., 20., 0., 20.]), alpha=0.05, comparisons=1)
    9
    """
    count = len(differences)
    mean = float(np.mean(differences)) if count else 0.0
    if count < 2 or mean == 0:
        return None
    z_alpha = float(ndtri(1 - alpha / comparisons / 2))
    spread_squared = float(np.var(differences, ddof=1)) / mean**2
    by_power = (z_alpha + float(ndtri(power))) ** 2 * spread_squared + z_alpha**2 / 2
    differing = float(np.mean(differences != 0))
    needed = max(by_power, pairs_needed(alpha, comparisons=comparisons) / differing)
    return max(1, ceil(needed) - count) if needed - count <= MOST_SEEDS else None
