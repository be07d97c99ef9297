"""What one entry's times to target say on their own: restricted mean, median, hit rate.

All censoring is at one common budget T, so Kaplan–Meier's curve is 1 − ECDF and its area up to T is the mean of
min(t, T).
"""

from math import ceil

import numpy as np

from bnbench.scoring.intervals import CONFIDENCE, Interval, mean_interval, wilson_interval
from bnbench.scoring.times import Times


def restricted_mean(times: Times, *, confidence: float = CONFIDENCE) -> Interval:
    """Return RMST(T) = mean of min(t, T) in steps, with its interval cut to the possible range [0, T].

    Seeds that all hit at one evaluation have no spread to be seen; rounding to the cadence is the least that is taken.
    Where none hits, what is counted is the budget, and that is exact.
    """
    rounding = 0.0 if times.all_missed else times.rounding_spread
    interval = mean_interval(times.steps, confidence=confidence, least_spread=rounding)
    if interval.low is None or interval.high is None:
        return interval
    return Interval(interval.estimate, max(0.0, interval.low), min(times.budget, interval.high))


def median_steps(times: Times) -> float | None:
    """Return the first step by which half of the seeds have hit, None when fewer than half ever do.

    >>> median_steps(Times(np.array([10., 20., 90., 90.]), np.array([True, True, False, False]), 90))
    20.0
    >>> median_steps(Times(np.array([10., 90., 90.]), np.array([True, False, False]), 90)) is None
    True
    """
    half = ceil(len(times) / 2)
    hits = np.sort(times.steps[times.reached])
    return float(hits[half - 1]) if half and len(hits) >= half else None


def hit_rate(times: Times, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the share of seeds that reach the target, with Wilson's interval."""
    return wilson_interval(int(np.sum(times.reached)), len(times), confidence=confidence)
