"""From the values of paired seeds to an interval, from the interval to the verdict of a part, and of a claim.

A part holds where its whole 95 % interval lies in the region the claim speaks of, is partial where it lies in the right
direction and wholly outside that region, fails where it lies wholly outside both, and is inconclusive otherwise: a
point estimate decides nothing.

A claim of several parts holds if every part holds. It fails if no part holds even in part and at least half of them
fail. It is inconclusive if more than half are. What is left is partial: it holds here and not there, or in direction
only. No interval is widened for the number of parts: to hold, a claim needs all of them at once, which is the strict
side; a single part of a partial claim is one of many looks and should be read as one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf

import numpy as np
from numpy.typing import NDArray

from bnbench.claims.claim import Judged, Part, Region, Scope, Values
from bnbench.scoring.intervals import Interval, mean_interval


class Verdict(StrEnum):
    """What the intervals say of a claim."""

    HOLDS = "holds"
    PARTIAL = "partial"
    FAILS = "fails"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Finding:
    """A part with its measured value and interval; an end that is not known is infinite."""

    part: Part
    estimate: float | None
    low: float
    high: float
    verdict: Verdict
    seeds: int | None
    values: tuple[float, ...]


def in_words(verdict: Verdict, scope: Scope) -> str:
    """Return the verdict as it is shown: what was published on other networks is not refuted by ours.

    >>> in_words(Verdict.FAILS, "transfer"), in_words(Verdict.FAILS, "exact")
    ('not seen in MLPs', 'fails')
    """
    return "not seen in MLPs" if verdict is Verdict.FAILS and scope == "transfer" else verdict.value


def judge(parts: Sequence[Part], values: Mapping[str, Values]) -> list[Finding]:
    """Return every part's finding; raises ValueError where the values are not those of the parts."""
    names = [part.name for part in parts]
    if set(names) != set(values):
        raise ValueError(f"values of {sorted(values)}; expected those of the parts {sorted(names)}")
    return [_finding(part, values[part.name]) for part in parts]


def verdict_of_part(low: float, high: float, *, holds: Region, direction: Region | None = None) -> Verdict:
    """Return what an interval says.

    >>> verdict_of_part(1.2, 1.4, holds=Region(low=1.5), direction=Region(low=1.0))
    <Verdict.PARTIAL: 'partial'>
    """
    if holds.encloses(low, high):
        return Verdict.HOLDS
    if not holds.excludes(low, high):
        return Verdict.INCONCLUSIVE
    if direction is None or direction.excludes(low, high):
        return Verdict.FAILS
    return Verdict.PARTIAL if direction.encloses(low, high) else Verdict.INCONCLUSIVE


def verdict_of_claim(verdicts: Sequence[Verdict]) -> Verdict:
    """Return what the verdicts of the parts make together; raises ValueError for none.

    >>> verdict_of_claim([Verdict.HOLDS, Verdict.HOLDS, Verdict.FAILS])
    <Verdict.PARTIAL: 'partial'>
    """
    if not verdicts:
        raise ValueError("a claim without parts cannot be judged")
    count = Counter(verdicts)
    if count[Verdict.HOLDS] == len(verdicts):
        return Verdict.HOLDS
    if 2 * count[Verdict.INCONCLUSIVE] > len(verdicts):
        return Verdict.INCONCLUSIVE
    if count[Verdict.HOLDS] + count[Verdict.PARTIAL]:
        return Verdict.PARTIAL
    return Verdict.FAILS


def _finding(part: Part, values: Values) -> Finding:
    if isinstance(values, Interval):
        kept: tuple[float, ...] = ()
        interval = values
    else:
        array = np.asarray(values, dtype=np.float64)
        kept = tuple(array.tolist())
        interval = _interval(part.name, array, part.judged)
    low = -inf if interval.low is None else interval.low
    high = inf if interval.high is None else interval.high
    verdict = verdict_of_part(low, high, holds=part.holds, direction=part.direction)
    return Finding(part, interval.estimate, low, high, verdict, len(kept) or None, kept)


def _interval(name: str, values: NDArray[np.float64], judged: Judged) -> Interval:
    """Return the interval of the values (n,), none of them NaN: a claim says what a lost seed counts as."""
    if values.ndim != 1 or not len(values):
        raise ValueError(f"part {name!r}: values of shape {values.shape}; expected one per seed")
    if np.isnan(values).any() or (judged != "every" and not np.isfinite(values).all()):
        raise ValueError(f"part {name!r}: {values.tolist()} are not all numbers; a lost seed must count as something")
    if judged == "every":
        return Interval(float(np.median(values)), float(values.min()), float(values.max()))
    if judged == "mean":
        return mean_interval(values)
    if (values <= 0).any():
        raise ValueError(f"part {name!r}: {values.tolist()}; a geometric mean takes positive ratios")
    logs = mean_interval(np.log(values))
    return Interval(*(None if end is None else exp(end) for end in (logs.estimate, logs.low, logs.high)))
