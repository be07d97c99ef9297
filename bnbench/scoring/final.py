"""The metric at the end of training, in which no seed is lost."""

import numpy as np

from bnbench.scoring.intervals import CONFIDENCE, Interval, mean_interval
from bnbench.scoring.times import Bools, Floats


def final_metric(
    values: Floats,
    diverged: Bools,
    *,
    trivial: float | None,
    possible: tuple[float, float] | None = None,
    confidence: float = CONFIDENCE,
) -> tuple[Interval, int]:
    """Return the mean final metric with its interval, and how many seeds counted at the trivial predictor's value.

    `values` (n,) and `diverged` (n,). A diverged seed, or one whose value is not finite, counts at `trivial`: it is
    never dropped and never NaN. Without a `trivial` value such a seed leaves the mean unknown (None), not flattered.
    The interval is cut to the `possible` range, (0, 1) for an accuracy.

    >>> interval, counted_trivial = final_metric(np.array([0.9, np.nan]), np.array([False, True]), trivial=0.1)
    >>> interval.estimate, counted_trivial
    (0.5, 1)
    """
    lost = diverged | ~np.isfinite(values)
    count = int(np.sum(lost))
    if count and (trivial is None or not np.isfinite(trivial)):
        return Interval(None, None, None), count
    counted = np.where(lost, 0.0 if trivial is None else trivial, values)
    interval = mean_interval(counted, confidence=confidence)
    if possible is None or interval.low is None or interval.high is None:
        return interval, count
    return Interval(interval.estimate, max(possible[0], interval.low), min(possible[1], interval.high)), count
