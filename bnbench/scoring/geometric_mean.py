"""Speed-ups of several workloads as one: their geometric mean, its interval, and what it bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, hypot, log, sqrt

import numpy as np
from scipy.special import stdtr, stdtrit

from bnbench.scoring.intervals import CONFIDENCE
from bnbench.scoring.speedup import Bound, bound_of
from bnbench.scoring.times import Floats, Times


@dataclass(frozen=True)
class LogRatio:
    """log(RMST_first ÷ RMST_second) over `num_pairs` seeds; its standard error is None for a single pair."""

    value: float
    standard_error: float | None
    num_pairs: int
    bound: Bound


@dataclass(frozen=True)
class MeanLogRatio:
    """The mean of log ratios over workloads, its standard error and degrees of freedom; None where not known."""

    value: float
    standard_error: float | None
    degrees_of_freedom: float | None
    bound: Bound


def log_ratio(first: Times, second: Times) -> LogRatio | None:
    """Return log(mean(a)/mean(b)) of paired a, b = min(t, T); None without a pair or where a mean is zero.

    The standard error is that of the paired delta method, s/√n with s the standard deviation of aᵢ/ā − bᵢ/b̄, never
    below that of rounding to the cadence. Where neither ever hits, both means are T: the ratio is 1 and bounds nothing.

    >>> everyone = np.array([True, True])
    >>> ratio = log_ratio(Times(np.array([20., 40.]), everyone, 90), Times(np.array([10., 10.]), everyone, 90))
    >>> round(exp(ratio.value), 6), ratio.bound
    (3.0, 'exact')
    """
    count = len(first)
    if count == 0:
        return None
    mean_first, mean_second = float(np.mean(first.steps)), float(np.mean(second.steps))
    if mean_first == 0 or mean_second == 0:
        return None
    value, bound = log(mean_first / mean_second), bound_of(first, second)
    if count == 1:
        return LogRatio(value, None, count, bound)
    spread = float(np.std(first.steps / mean_first - second.steps / mean_second, ddof=1))
    if not (first.all_missed and second.all_missed):
        spread = max(spread, hypot(first.rounding_spread / mean_first, second.rounding_spread / mean_second))
    return LogRatio(value, spread / sqrt(count), count, bound)


def mean_log_ratio(ratios: Sequence[LogRatio]) -> MeanLogRatio:
    """Return the mean over workloads, each counting once however many seeds it has; the workloads are fixed.

    Standard error √Σ SE²/W, degrees of freedom by Satterthwaite, (Σ SE²)² ÷ Σ SE⁴/(n−1): the seeds are the sample, the
    workloads are not drawn from anything. The mean is a bound where all of the ratios are one or exact.

    >>> mean = mean_log_ratio([LogRatio(log(4), 0.1, 8, "exact"), LogRatio(log(1), 0.1, 8, "at_least")])
    >>> round(exp(mean.value), 6), mean.bound, round(mean.degrees_of_freedom, 6)
    (2.0, 'at_least', 14.0)
    """
    value = sum(ratio.value for ratio in ratios) / len(ratios)
    errors = [ratio.standard_error for ratio in ratios]
    bound = joint_bound([ratio.bound for ratio in ratios])
    known = [error for error in errors if error is not None]
    if len(known) < len(errors):
        return MeanLogRatio(value, None, None, bound)
    squares = sum(error**2 for error in known)
    fourth = sum(error**4 / (ratio.num_pairs - 1) for error, ratio in zip(known, ratios, strict=True) if error)
    return MeanLogRatio(value, sqrt(squares) / len(ratios), squares**2 / fourth if fourth else None, bound)


def joint_bound(bounds: Sequence[Bound]) -> Bound:
    """Return what a mean of ratios bounds, each of which bounds its own.

    >>> joint_bound(["exact", "at_least"]), joint_bound(["at_least", "at_most"])
    ('at_least', 'undefined')
    """
    kinds = set(bounds) - {"exact"}
    if not kinds:
        return "exact"
    return kinds.pop() if len(kinds) == 1 else "undefined"


def interval_of(mean: MeanLogRatio, *, confidence: float = CONFIDENCE) -> tuple[float | None, float | None]:
    """Return exp(mean ± t·SE), the interval of the geometric mean; None where no standard error is known."""
    if mean.standard_error is None or mean.degrees_of_freedom is None:
        return None, None
    half = float(stdtrit(mean.degrees_of_freedom, 0.5 + confidence / 2)) * mean.standard_error
    return exp(mean.value - half), exp(mean.value + half)


def two_sided_p(values: Floats, errors: Floats, degrees_of_freedom: Floats) -> Floats:
    """Return the p of "the geometric mean is 1" by Student's t for mean log ratios and their standard errors, all (m,).

    >>> two_sided_p(np.array([0.0, 0.2]), np.array([0.1, 0.1]), np.array([14.0, 14.0])).round(4).tolist()
    [1.0, 0.0653]
    """
    p: Floats = 2 * stdtr(degrees_of_freedom, -np.abs(values) / errors)
    return p
