"""The board as Markdown tables, for a README or an issue."""

from collections.abc import Iterable

from bnbench.reports.cells import blocks, footnotes, skipped_lines
from bnbench.reports.sections import sections
from bnbench.scoring.board import Board

SPECIAL = "\\`*_[]<>|~#&!"
ALIGNMENT = {"rank": "--:", "seeds": "--:", "hit rate": "--:", "diverged": "--:", "lr": "--:", "step cost": "--:"}


def to_markdown(board: Board, *, everything: bool = False) -> str:
    """Return one table per workload, target level and track; then the footnotes and what was not counted.

    With `everything` the details of the rows, too.
    """
    lines: list[str] = []
    for block in (*blocks(board), *sections(board, everything=everything)):
        lines += [f"### {escape(block.title)}", "", *([escape(block.subtitle), ""] if block.subtitle else [])]
        lines += [_line(map(escape, block.columns)), _line(ALIGNMENT.get(column, ":--") for column in block.columns)]
        lines += [_line(escape(row[column]) for column in block.columns) for row in block.rows]
        lines.append("")
    if not board.entries:
        lines += ["No entry to rank.", ""]
    for note in footnotes(board):
        lines += [escape(note), ""]
    skipped = skipped_lines(board)
    if skipped:
        lines += [f"Not counted ({len(board.skipped):,}):", "", *(f"- {escape(line)}" for line in skipped), ""]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is.

    >>> escape("a|b <script>")
    'a\\\\|b \\\\<script\\\\>'
    """
    return "".join(f"\\{character}" if character in SPECIAL else character for character in text)


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"
