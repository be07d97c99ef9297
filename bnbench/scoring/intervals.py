"""Intervals of one sample: Student's t, corrected for few and skewed seeds, for a mean; Wilson's for a share."""

from dataclasses import dataclass
from functools import cache
from math import cbrt, inf, isfinite, sqrt

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


@cache
def t_quantile(degrees_of_freedom: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's t.

    >>> round(t_quantile(7), 4)
    2.3646
    """
    return float(stdtrit(degrees_of_freedom, 0.5 + confidence / 2))


# Half of Hall's correction and a standard error wider by √(n/(n−1)): with these two, chosen in simulation, intervals of
# skewed and censored times hold what they promise from 8 seeds on (docs/calibration.md). The skewness of 8 seeds is
# itself so rough that the whole of it makes intervals of heavy-tailed times miss more often, not less.
SKEWNESS_TAKEN = 0.5


def reach(deviations: Floats, *, confidence: float = CONFIDENCE, least_spread: float = 0.0) -> tuple[float, float]:
    """Return how far the interval reaches below and above an estimate whose seeds deviate by `deviations` (n,).

    With s/√n = √Σuᵢ² / (n−1) of the deviations u, and γ half their skewness, below = s·h⁻¹(t(n−1)/√n) and above =
    −s·h⁻¹(−t(n−1)/√n), h(x) = x + γx²/3 + γ²x³/27 + γ/6n (Hall 1992, doi:10.1111/j.2517-6161.1992.tb01872.x): Student's
    interval, shifted towards the long tail. s is never taken below `least_spread`. Takes at least two seeds.

    >>> below, above = reach(np.array([-1.0, -1.0, 2.0]))
    >>> round(below, 2), round(above, 2)
    (4.18, 9.25)
    """
    count = len(deviations)
    largest = float(np.abs(deviations).max()) or 1.0
    units = deviations / largest  # cubes of small deviations would vanish
    squared = units * units
    squares = float(squared.sum()) / count
    skewness = SKEWNESS_TAKEN * float((squared * units).sum()) / count / squares**1.5 if squares else 0.0
    spread = max(least_spread, largest * sqrt(squares) * count / (count - 1))
    quantile = t_quantile(count - 1, confidence=confidence) / sqrt(count)
    shift = skewness / (6 * count)

    def inverse(value: float) -> float:
        root = cbrt(1 + skewness * (value - shift))
        # 3/γ · (root − 1), without the difference of nearly equal numbers
        return 3 * (value - shift) / (root * root + root + 1)

    return spread * inverse(quantile), -spread * inverse(-quantile)


def mean_interval(values: Floats, *, confidence: float = CONFIDENCE, least_spread: float = 0.0) -> Interval:
    """Return the mean of `values` (n,) and the interval of `reach`; no interval for n = 1, nothing at all for n = 0.

    Nothing either where the values are so large that their mean or spread is no float any more.

    >>> mean_interval(np.array([1.0, 2.0, 3.0])).estimate
    2.0
    """
    count = len(values)
    if count == 0:
        return Interval(None, None, None)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.sum()) / count
        deviations = values - mean
        squares = float((deviations * deviations).sum()) if count > 1 else inf
    if not isfinite(mean):
        return Interval(None, None, None)
    if not isfinite(squares):
        return Interval(mean, None, None)
    below, above = reach(deviations, confidence=confidence, least_spread=least_spread)
    return Interval(mean, mean - below, mean + above)


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
