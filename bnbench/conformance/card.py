"""The report card: in a terminal, and as JSON."""

import platform
from dataclasses import asdict
from importlib import metadata
from math import isfinite
from typing import IO, Any

import torch
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bnbench.conformance.costs import Costs
from bnbench.conformance.finding import Finding, Verdict
from bnbench.conformance.printing import print_to
from bnbench.conformance.suite import ReportCard
from bnbench.conformance.traits import Traits

JSON_SCHEMA_VERSION = 1

# in the order of the card: what matters stands last, next to the prompt
STYLES = {
    Verdict.PASS: "green",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.NOTE: "yellow",
    Verdict.FAIL: "bold red",
}
SHORT = {verdict: "n/a" if verdict is Verdict.NOT_APPLICABLE else verdict.value for verdict in Verdict}


def to_dict(card: ReportCard) -> dict[str, Any]:
    """Return the card as plain values for JSON: what is not known is null, never NaN."""
    return {
        "schema_version": JSON_SCHEMA_VERSION,
        "entry": plain(card.entry),
        "kind": card.kind,
        "num_features": card.num_features,
        "passed": not card.of(Verdict.FAIL),
        "findings": [
            {
                "check": finding.check,
                "verdict": finding.verdict.value,
                "measured": plain(finding.measured),
                "meaning": plain(finding.meaning),
            }
            for finding in card.findings
        ],
        "traits": asdict(card.traits) if card.traits else None,
        "costs": _costs(card.costs),
        "environment": {"bnbench": _version(), "torch": torch.__version__, "python": platform.python_version()},
    }


def print_card(card: ReportCard, *, file: IO[str] | None = None, width: int | None = None) -> None:
    """Print the card to `file` (default: standard output), `width` columns wide (default: the terminal's)."""
    console = Console(file=file, width=width, highlight=False, emoji=False)
    print_to(console, *renderables(card))


def renderables(card: ReportCard) -> list[RenderableType]:
    """Return the parts of the page, top to bottom. A stranger's words are `Text`: none is read as markup."""
    title = Text.assemble((plain(card.entry), "bold"), f"  kind {card.kind}, {card.num_features} features")
    findings = Table.grid(padding=(0, 2, 0, 0))
    findings.add_column(no_wrap=True)
    findings.add_column()
    for verdict, style in STYLES.items():
        for finding in card.of(verdict):
            findings.add_row(Text(SHORT[verdict], style=style), _said(finding))
    return [title, Text(), findings, Text(), *_traits(card), conclusion(card)]


def conclusion(card: ReportCard) -> Text:
    """Return the last line: what the verdicts come to."""
    passes, notes, nothing = (len(card.of(verdict)) for verdict in (Verdict.PASS, Verdict.NOTE, Verdict.NOT_APPLICABLE))
    fails = card.of(Verdict.FAIL)
    others = f"{passes} pass, {counted(notes, 'note')}, {nothing} not applicable"
    name = plain(card.entry)
    if not fails:
        return Text(f"{name} fails nothing: {others}.", style="bold green")
    failed = ", ".join(in_words(finding.check) for finding in fails)
    return Text(f"{name} fails {counted(len(fails), 'check')} ({failed}); {others}.", style="bold red")


def counted(number: int, word: str) -> str:
    """Return a number with its word.

    >>> counted(1, "note"), counted(2, "note")
    ('1 note', '2 notes')
    """
    return f"{number} {word}{'' if number == 1 else 's'}"


def in_words(name: str) -> str:
    """Return the name of a check or a trait as one would say it.

    >>> in_words("row_shift_invariant")
    'row shift invariant'
    """
    return name.replace("_", " ")


def plain(text: str) -> str:
    """Return text of a stranger's in one line, with everything that could steer a terminal made visible.

    >>> plain("red\\x1b[31m\\nlines")
    'red�[31m lines'
    """
    words = " ".join(text.split())
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words)


def _said(finding: Finding) -> Text:
    head = in_words(finding.check)
    if finding.verdict is not Verdict.NOT_APPLICABLE:
        head = f"{head}: {plain(finding.measured)}"
    return Text.assemble(head, "\n", (plain(finding.meaning), "dim"))


def _traits(card: ReportCard) -> list[RenderableType]:
    if card.traits is None:
        return [Text("Traits were not measured: the norm raises on ordinary inputs."), Text()]
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in traits_in_words(card.traits, card.costs).items():
        table.add_row(Text(name), Text(value))
    return [Text("Traits, measured", style="bold"), table, Text()]


def traits_in_words(traits: Traits, costs: Costs | None) -> dict[str, str]:
    """Return every trait and cost by its name in words; what a norm of this kind does not have is left out."""
    said = {
        in_words(name): ("yes" if value else "no") if isinstance(value, bool) else f"{value:,}"
        for name, value in asdict(traits).items()
        if value is not None
    }
    known = {name: value for name, value in (_costs(costs) or {}).items() if value is not None}
    return said | {in_words(name): f"{value:.2f} × identity" for name, value in known.items()}


def _costs(costs: Costs | None) -> dict[str, float | None] | None:
    return {name: value if isfinite(value) else None for name, value in asdict(costs).items()} if costs else None


def _version() -> str | None:
    """Return the version of bnbench; None where it runs from a folder that is not installed."""
    try:
        return metadata.version("bnbench")
    except metadata.PackageNotFoundError:
        return None
