"""Speed-up against a reference: the ratio of restricted means over paired seeds, its interval, and what it bounds."""

from dataclasses import dataclass
from math import exp, hypot, log
from typing import Literal

import numpy as np

from bnbench.scoring.intervals import CONFIDENCE, reach
from bnbench.scoring.times import Times

Bound = Literal["exact", "at_least", "at_most", "undefined"]


@dataclass(frozen=True)
class Speedup:
    """RMST_reference ÷ RMST_entry: above 1 the entry is faster. None where it cannot be formed."""

    estimate: float | None
    low: float | None
    high: float | None
    bound: Bound


UNKNOWN = Speedup(None, None, None, "undefined")


def speedup(reference: Times, entry: Times, *, confidence: float = CONFIDENCE) -> Speedup:
    """Return mean(a)/mean(b) of paired a = min(t, T) of the reference and b of the entry, with its interval.

    log(ratio) − below … + above, the reach of the deviations aᵢ/ā − bᵢ/b̄ (paired delta method), whose spread is never
    taken below that of rounding to the cadence. No interval for one pair. No ratio when neither hits once, nor when a
    mean is zero: a target met before the first step has no speed.
    Raises ValueError when the two are not pairs.

    >>> both = np.array([True, True])
    >>> speedup(Times(np.array([20., 40.]), both, 90), Times(np.array([10., 10.]), both, 90)).estimate
    3.0
    """
    if len(reference) != len(entry) or reference.budget != entry.budget:
        raise ValueError("the times are not paired: the same seeds under the same budget are expected")
    count = len(entry)
    if count == 0 or (reference.all_missed and entry.all_missed):
        return UNKNOWN
    mean_reference, mean_entry = float(np.mean(reference.steps)), float(np.mean(entry.steps))
    if mean_reference == 0 or mean_entry == 0:
        return UNKNOWN
    ratio = mean_reference / mean_entry
    bound = bound_of(reference, entry)
    if count == 1:
        return Speedup(ratio, None, None, bound)
    influence = reference.steps / mean_reference - entry.steps / mean_entry
    rounding = hypot(reference.rounding_spread / mean_reference, entry.rounding_spread / mean_entry)
    below, above = reach(influence, confidence=confidence, least_spread=rounding)
    return Speedup(ratio, exp(log(ratio) - below), exp(log(ratio) + above), bound)


def bound_of(reference: Times, entry: Times) -> Bound:
    """Return what the censored ratio says about the ratio of full times.

    A miss would have taken longer than T, so a miss of the reference makes the ratio a lower bound and a miss of the
    entry an upper bound; misses of both pull both ways and bound nothing.
    """
    if reference.any_missed and entry.any_missed:
        return "undefined"
    if reference.any_missed:
        return "at_least"
    return "at_most" if entry.any_missed else "exact"
