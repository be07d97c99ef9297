"""The catalogue and the results as tables in a terminal, and as plain values for JSON."""

from collections.abc import Sequence
from typing import IO, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bnbench.claims.claim import Claim
from bnbench.claims.result import as_data
from bnbench.claims.running import Outcome
from bnbench.claims.verdict import Verdict
from bnbench.reports.cells import plain

STYLES = {Verdict.HOLDS: "green", Verdict.PARTIAL: "yellow", Verdict.FAILS: "red", Verdict.INCONCLUSIVE: "dim"}


def print_catalogue(claims: Sequence[Claim], *, file: IO[str] | None = None, width: int | None = None) -> None:
    """Print of every claim what it is and how long it takes, then what it says."""
    console = _console(file, width)
    for claim in claims:
        facts = (
            claim.paper.short,
            f"scope: {claim.scope}",
            f"quick {minutes(claim.cost.quick)}, full {minutes(claim.cost.full)}",
        )
        console.print(Text.assemble((plain(claim.claim_id), "bold"), (f"  {plain(' · '.join(facts))}", "dim")))
        console.print(Padding(Text(plain(claim.statement)), (0, 0, 0, 4)))


def print_outcomes(outcomes: Sequence[Outcome], *, file: IO[str] | None = None, width: int | None = None) -> None:
    """Print a row per claim with its verdict and key figure, then the sentences and what could not be measured."""
    console = _console(file, width)
    table = _table("claim", "verdict", "measured", "seconds")
    table.columns[-1].justify = "right"
    for outcome in outcomes:
        result = outcome.result
        if result is None:
            table.add_row(Text(outcome.claim_id), Text("not measured", style="bold red"), Text(""), Text(""))
            continue
        verdict = Text(plain(result.verdict_in_words), style=STYLES[result.verdict])
        table.add_row(Text(outcome.claim_id), verdict, Text(plain(result.key_figure)), Text(f"{result.seconds:.1f}"))
    console.print(table)
    for outcome in outcomes:
        if outcome.result is not None:
            console.print(Text(f"\n{outcome.claim_id}", style="bold"))
            console.print(Text(plain(outcome.result.sentence)))
        else:
            console.print(Text(f"\n{outcome.claim_id} could not be measured", style="bold red"))
            console.print(Text("\n".join(map(plain, (outcome.error or "").splitlines()))))


def catalogue_data(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Return the claims as plain values."""
    return [
        {
            "id": claim.claim_id,
            "statement": claim.statement,
            "scope": claim.scope,
            "paper": vars(claim.paper),
            "published": claim.published,
            "protocol": claim.protocol,
            "experiment": claim.experiment,
            "statistic": claim.statistic,
            "rule": claim.rule,
            "cost_minutes": vars(claim.cost),
            "parts": [part.name for part in claim.parts],
            "control": claim.control.statement,
        }
        for claim in claims
    ]


def outcomes_data(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return what became of the claims as plain values; `error` is null where there is a result."""
    return [
        {"id": outcome.claim_id, "verdict": None, "error": outcome.error}
        if outcome.result is None
        else {**as_data(outcome.result), "error": None}
        for outcome in outcomes
    ]


def minutes(value: float) -> str:
    """Return minutes in words.

    >>> minutes(0.2), minutes(75)
    ('< 1 min', '75 min')
    """
    return "< 1 min" if value < 1 else f"{value:.0f} min"


def _table(*titles: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=title in ("claim", "verdict"))
    return table


def _console(file: IO[str] | None, width: int | None) -> Console:
    return Console(file=file, width=width, highlight=False, emoji=False)
