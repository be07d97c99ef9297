"""What the report says of a claim, in the words and pictures that Markdown and the page share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bnbench.claims.claim import NONE_PUBLISHED, Cost, Paper, Part, Scope
from bnbench.claims.report import curves, intervals
from bnbench.claims.result import Result
from bnbench.claims.sentence import interval, number
from bnbench.claims.verdict import Finding, Verdict
from bnbench.reports.cells import plain

SCOPES: dict[Scope, str] = {
    "exact": "exact: the paper ran it on fully connected networks, or what it derives includes them",
    "transfer": "transfer: the paper speaks of other networks; what is not seen here does not refute it",
}


@dataclass(frozen=True)
class Picture:
    """One picture: a name for its file, what it shows, and its SVG."""

    name: str
    shows: str
    svg: str


@dataclass(frozen=True)
class View:
    """One claim as it is shown; `facts` are (name, text) in the order of the page, `rows` the parts, where many."""

    claim_id: str
    title: str
    verdict: str
    kind: str
    measured: str
    setting: str
    sentence: str
    cost: str
    command: str
    facts: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...]
    pictures: tuple[Picture, ...]
    warning: str | None


COLUMNS = ("part", "measured", "interval", "seeds", "holds where", "verdict")


def view_of(result: Result, *, is_current: bool) -> View:
    """Return what to show of a result; one of an older source is shown with a warning."""
    facts = (
        ("Published", "No number." if result.published == NONE_PUBLISHED else as_sentence(result.published)),
        ("Where", cited(result.paper)),
        ("Scope", f"{SCOPES[result.scope]}."),
        ("Protocol", as_sentence(result.protocol)),
        ("Statistic", as_sentence(result.statistic)),
        ("Rule", as_sentence(result.rule)),
        ("Negative control", as_sentence(f"{result.control_statement}: {result.control_verdict.value}")),
        ("Seeds", f"{len(result.seeds)} ({result.size} setting)."),
    )
    return View(
        claim_id=plain(result.claim_id),
        title=plain(result.statement),
        verdict=plain(result.verdict_in_words),
        kind=result.verdict.value,
        measured=plain(result.key_figure),
        setting=result.size,
        sentence=plain(result.sentence),
        cost=cost_in_words(result.seconds, result.cost, trains=result.experiment is not None),
        command=plain(result.command),
        facts=tuple((name, plain(told)) for name, told in facts),
        columns=COLUMNS,
        rows=tuple(map(_row, result.findings)) if len(result.findings) > 1 else (),
        remarks=tuple(map(plain, result.remarks)),
        pictures=tuple(pictures(result)),
        warning=" ".join(warnings(result, is_current=is_current)) or None,
    )


def warnings(result: Result, *, is_current: bool) -> Iterator[str]:
    """Yield what keeps a result from being taken at its word."""
    if not is_current:
        yield "The claim was changed since this was measured; run its command again."
    if result.size == "miniature":
        yield "The miniature setting shows only that the claim runs: its verdict means nothing."


def pictures(result: Result) -> list[Picture]:
    """Return the claim's own figure, then the intervals of its parts."""
    drawn = [] if result.figure is None else [Picture("figure", plain(result.figure.title), curves.draw(result.figure))]
    if len(result.findings) > 1 or result.figure is None:
        each = intervals.draw_all(result.findings)
        drawn += [
            Picture(f"intervals-{index}" if len(each) > 1 else "intervals", "intervals of the parts", svg)
            for index, svg in enumerate(each, start=1)
        ]
    return drawn


def as_sentence(text: str) -> str:
    """Return a text with a capital in front and a full stop behind.

    >>> as_sentence("the mean of all")
    'The mean of all.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def cited(paper: Paper) -> str:
    """Return authors, year, title, section and where to find it, as far as they are known."""
    said = [paper.short, paper.title, paper.section, paper.where]
    return f"{', '.join(each for each in said if each)}."


def cost_in_words(seconds: float, cost: Cost, *, trains: bool) -> str:
    """Return how long it took, and what a quiet machine takes in both settings."""
    here = f"{seconds:.0f} s here{' (without what had been trained before)' if trains else ''}"
    return f"{here}; on two quiet cores about {_minutes(cost.quick)} quick, {_minutes(cost.full)} full"


def verdicts_counted(results: Sequence[Result]) -> str:
    """Return "5 hold, 2 are partial, …" over claims."""
    words = {
        Verdict.HOLDS: "hold",
        Verdict.PARTIAL: "partial",
        Verdict.FAILS: "fail",
        Verdict.INCONCLUSIVE: "undecided",
    }
    counts = {verdict: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    return ", ".join(f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict])


def _row(found: Finding) -> tuple[str, ...]:
    estimate = "?" if found.estimate is None else number(found.estimate, found.part.unit)
    told = (
        found.part.statement,
        estimate,
        interval(found.low, found.high, found.part.unit),
        str(found.seeds or "paired"),
        _where(found.part),
        found.verdict.value,
    )
    return tuple(map(plain, told))


def _where(part: Part) -> str:
    return interval(part.holds.low, part.holds.high, part.unit)


def _minutes(value: float) -> str:
    return f"{value * 60:.0f} s" if value < 1 else f"{value:.0f} min"
