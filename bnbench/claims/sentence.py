"""What was found, in words with the numbers."""

from collections.abc import Sequence
from math import isfinite

from bnbench.claims.claim import Judged, Scope
from bnbench.claims.verdict import Finding, Verdict, in_words

MOST_PARTS_TOLD = 4
UNDECIDED = "undecided"


def sentence_of(verdict: Verdict, findings: Sequence[Finding], scope: Scope) -> str:
    """Return the verdict, then every part with its interval, or how many of each group hold and the extreme ones."""
    said = in_words(verdict, scope)
    opening = said[0].upper() + said[1:]
    if len(findings) <= MOST_PARTS_TOLD:
        return f"{opening}: {'; '.join(map(part_in_words, findings))}."
    told = f"{opening}: {counted(findings)}."
    groups = list(dict.fromkeys(found.part.group for found in findings))
    if len(groups) > 1:
        each = (f"{group or 'others'}: {counted([f for f in findings if f.part.group == group])}" for group in groups)
        told += f" By kind: {'; '.join(each)}."
    return f"{told} {extremes(findings)}"


def extremes(findings: Sequence[Finding]) -> str:
    """Return the smallest and the largest estimate; where parts are told in several units, the first part."""
    known = [found for found in findings if found.estimate is not None and isfinite(found.estimate)]
    if len({found.part.unit for found in known}) != 1:
        return f"The first: {part_in_words(findings[0])}."
    ordered = sorted(known, key=lambda found: found.estimate or 0.0)
    ends = (f"{measured_in_words(found)} ({found.part.statement})" for found in (ordered[0], ordered[-1]))
    return f"The parts lie between {' and '.join(ends)}."


def part_in_words(found: Finding) -> str:
    """Return "gradients grow as predicted: 1.48× (95 % interval 1.47 to 1.49, 8 seeds)", and how it ended."""
    ended = UNDECIDED if found.verdict is Verdict.INCONCLUSIVE else found.verdict.value
    return f"{found.part.statement}: {measured_in_words(found)}, {ended}"


def measured_in_words(found: Finding) -> str:
    """Return the estimate with its interval and the number of seeds."""
    kind = interval_name(found.part.judged)
    seeds = f", {found.seeds} seeds" if found.seeds else ""
    estimate = "no estimate" if found.estimate is None else number(found.estimate, found.part.unit)
    return f"{estimate} ({kind} {interval(found.low, found.high, found.part.unit)}{seeds})"


def interval_name(judged: Judged) -> str:
    """Return what the two ends are."""
    return "all seeds" if judged == "every" else "95 % interval"


def interval(low: float, high: float, unit: str = "") -> str:
    """Return an interval in words.

    >>> interval(1.25, 2.5, "×"), interval(float("-inf"), 0.5), interval(float("-inf"), float("inf"))
    ('1.25× to 2.5×', 'at most 0.5', 'unknown')
    """
    if not isfinite(low) and not isfinite(high):
        return "unknown"
    if not isfinite(low):
        return f"at most {number(high, unit)}"
    if not isfinite(high):
        return f"at least {number(low, unit)}"
    return f"{number(low, unit)} to {number(high, unit)}"


def number(value: float, unit: str = "") -> str:
    """Return a number to three figures behind which its unit stands.

    >>> number(1.4798, "×"), number(0.00123, "%"), number(12345.0)
    ('1.48×', '0.00123 %', '12,345')
    """
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    return f"{text}{unit}" if unit in ("", "×", "°") else f"{text} {unit}"


def counted(findings: Sequence[Finding]) -> str:
    """Return how many of the parts hold, and what became of the others."""
    counts = {verdict: sum(found.verdict is verdict for found in findings) for verdict in Verdict}
    words = {Verdict.PARTIAL: "in part", Verdict.FAILS: "fail", Verdict.INCONCLUSIVE: UNDECIDED}
    others = [f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict]]
    return ", ".join([f"{counts[Verdict.HOLDS]} of {len(findings)} hold", *others])


def key_figure(findings: Sequence[Finding]) -> str:
    """Return what stands in the table: the first part's interval, or how many of many parts hold."""
    if len(findings) > MOST_PARTS_TOLD:
        return counted(findings)
    first = findings[0]
    estimate = "?" if first.estimate is None else number(first.estimate, first.part.unit)
    return f"{estimate} ({interval(first.low, first.high)})"
