"""Intervals of one sample: Student's t for a mean, Wilson's for a share."""

from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np
from scipy.special import ndtri, stdtrit

from bnbench.scoring.times import Floats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval; `low` and `high` are None where one value shows no spread."""

    estimate: float | None
    low: float | None
    high: float | None


def t_quantile(degrees_of_freedom: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's t.

    >>> round(t_quantile(7), 4)
    2.3646
    """
    return float(stdtrit(degrees_of_freedom, 0.5 + confidence / 2))


def mean_interval(values: Floats, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the mean of `values` (n,) with mean ± t(n−1)·s/√n; no interval for n = 1, nothing at all for n = 0.

    Nothing either where the values are so large that their mean or spread is no float any more.

    >>> mean_interval(np.array([1.0, 2.0, 3.0])).estimate
    2.0
    """
    count = len(values)
    if count == 0:
        return Interval(None, None, None)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.mean(values))
        spread = float(np.std(values, ddof=1)) if count > 1 else inf
    if not isfinite(mean):
        return Interval(None, None, None)
    if not isfinite(spread):
        return Interval(mean, None, None)
    half = t_quantile(count - 1, confidence=confidence) * spread / sqrt(count)
    return Interval(mean, mean - half, mean + half)


def wilson_interval(hits: int, count: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the share hits/count with Wilson's score interval, which stays inside [0, 1] and open at 0 and n hits.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n), Wilson 1927.

    >>> shares = wilson_interval(10, 10)
    >>> shares.estimate, round(shares.low, 4), shares.high
    (1.0, 0.7225, 1.0)
    """
    if count == 0:
        return Interval(None, None, None)
    z = float(ndtri(0.5 + confidence / 2))
    share = hits / count
    middle = share + z * z / (2 * count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    low = 0.0 if hits == 0 else (middle - half) / scale
    high = 1.0 if hits == count else (middle + half) / scale
    return Interval(share, low, high)
