"""What a command has to say, as lines for people and as data for programs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len

from bnbench.command_line import FINE
from bnbench.reports.cells import plain

MOST_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Lines for a terminal, printable whatever a record's names hold; data for `--json`; the exit code."""

    lines: list[str]
    data: dict[str, Any] = field(default_factory=dict)
    code: int = FINE


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return aligned lines, the header first; what cannot be printed in a cell is made visible."""
    texts = [[plain(text) for text in row] for row in (header, *rows)]
    widths = [max(cell_len(row[column]) for row in texts) for column in range(len(header))]
    return [
        "  ".join(text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def section(title: str, lines: Sequence[str]) -> list[str]:
    """Return a title and its indented lines behind an empty one; nothing where there are none."""
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def few(items: Sequence[str], *, most: int = MOST_SHOWN) -> list[str]:
    """Return the first items, and how many more there are."""
    more = len(items) - most
    return [*items[:most], f"… and {more:,} more (all of them: --json)"] if more > 0 else list(items)


def seeds_text(seeds: Sequence[int]) -> str:
    """Return seeds with their runs drawn together.

    >>> seeds_text([0, 1, 2, 7, 9, 8])
    '0–2, 7–9'
    """
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][1] + 1:
            parts[-1][1] = seed
        else:
            parts.append([seed, seed])
    return ", ".join(f"{first}–{last}" if last > first else f"{first}" for first, last in parts)


def number_of(count: int, thing: str) -> str:
    """Return a count and its noun.

    >>> number_of(1, "seed"), number_of(2000, "seed")
    ('1 seed', '2,000 seeds')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
