"""How far the seeds lie apart."""

from math import ceil, isfinite

import numpy as np

from bnbench.scoring.times import Floats


def interquartile_range(values: Floats) -> float | None:
    """Return the 75th less the 25th percentile of `values` (n,), linear between neighbours.

    None if one is unknown, or they are too far apart for a float.

    >>> interquartile_range(np.array([10., 20., 30., 40., 50.]))
    20.0
    """
    if not len(values) or not np.all(np.isfinite(values)):
        return None
    ordered = np.sort(values)
    with np.errstate(over="ignore", invalid="ignore"):
        between = _percentile(ordered, 0.75) - _percentile(ordered, 0.25)
    return between if isfinite(between) else None


def _percentile(ordered: Floats, share: float) -> float:
    """What numpy.percentile returns, without the time it takes for a few values."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))


def worst_tenth(steps: Floats) -> float | None:
    """Return the mean of the slowest tenth of `steps` (n,), of one seed at least.

    >>> worst_tenth(np.arange(10., 210., 10.))  # 20 seeds: the mean of 190 and 200
    195.0
    """
    return float(np.mean(np.sort(steps)[-ceil(len(steps) / 10) :])) if len(steps) else None
