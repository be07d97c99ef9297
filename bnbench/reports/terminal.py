"""The board in a terminal: a table where it fits, one short paragraph per entry where it does not."""

from io import StringIO
from typing import IO, Literal

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bnbench.reports.cells import Block, blocks, footnotes, skipped_lines
from bnbench.reports.sections import sections
from bnbench.scoring.board import Board

WIDE_ENOUGH_FOR_VERDICTS = 170
MOST_SKIPPED_PER_REASON = 20
FOLDED_ENTRY = 12
STACKED = (
    (" [", "\n["),
    (", median", "\nmedian"),
    ("median not reached", "median\nnot reached"),
    ("hit rate", "hit\nrate"),
    ("steps to target", "steps to\ntarget"),
)
NUMBERS = {"rank", "lr", "seeds", "hit rate", "diverged", "step cost"}


def print_board(
    board: Board, *, file: IO[str] | None = None, width: int | None = None, everything: bool = False
) -> None:
    """Print the board to `file` (default: standard output), `width` columns wide (default: the terminal's).

    With `everything` the details of the rows, too.
    """
    console = Console(file=file, width=width, highlight=False, emoji=False)
    for part in renderables(board, width=console.width, everything=everything):
        console.print(part)


def to_text(board: Board, *, width: int = 200, everything: bool = False) -> str:
    """Return what `print_board` prints, without colours."""
    stream = StringIO()
    console = Console(file=stream, width=width, highlight=False, emoji=False, color_system=None, force_terminal=False)
    for part in renderables(board, width=width, everything=everything):
        console.print(part)
    return stream.getvalue()


def renderables(board: Board, *, width: int, everything: bool = False) -> list[RenderableType]:
    """Return the parts of the page, top to bottom. Every name is a `Text`, so none is read as markup."""
    parts: list[RenderableType] = []
    for block in (*blocks(board), *sections(board, everything=everything)):
        told = [Text(block.subtitle, style="dim")] if block.subtitle else []
        parts += [Text(block.title, style="bold"), *told, *_body(block, width), Text()]
    if not board.entries:
        parts += [Text("No entry to rank."), Text()]
    parts += [Text(line, style="dim") for line in footnotes(board)]
    skipped = skipped_lines(board, most=MOST_SKIPPED_PER_REASON)
    if skipped:
        parts += [Text(), Text(f"Not counted ({len(board.skipped):,}):", style="yellow")]
        parts += [Padding(Text(line), (0, 0, 0, 2), expand=False) for line in skipped]
    return parts


def _body(block: Block, width: int) -> list[RenderableType]:
    """The widest form that fits: with verdicts, one line per entry, numbers over intervals, paragraphs."""
    header = {column: column for column in block.columns}
    if "verdict" in block.columns and width >= WIDE_ENOUGH_FOR_VERDICTS:
        return [_table((header, *block.rows), block.columns, gap=2)]
    numbers = tuple(column for column in block.columns if column != "verdict")
    said = [] if numbers == block.columns else [Text(), *map(_sentence, block.rows)]
    for gap, arrange in ((2, _as_it_is), (1, _stacked)):
        rows = tuple({column: arrange(column, row[column]) for column in numbers} for row in (header, *block.rows))
        if _width(rows, numbers, gap=gap) <= width:
            return [_table(rows, numbers, gap=gap), *said]
    return [_paragraph(row, block.columns) for row in block.rows]


def _as_it_is(column: str, text: str) -> str:
    return text


def _stacked(column: str, text: str) -> str:
    if column == "entry":
        return "\n".join(text[start : start + FOLDED_ENTRY] for start in range(0, len(text), FOLDED_ENTRY))
    for wide, narrow in STACKED:
        text = text.replace(wide, narrow)
    return text


def _width(rows: tuple[dict[str, str], ...], columns: tuple[str, ...], *, gap: int) -> int:
    widest = (max(cell_len(line) for row in rows for line in row[column].split("\n")) for column in columns)
    return sum(widest) + gap * (len(columns) - 1)


def _table(rows: tuple[dict[str, str], ...], columns: tuple[str, ...], *, gap: int) -> Table:
    """The first of `rows` is the header."""
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in NUMBERS else "left"
        table.add_column(Text(rows[0][column]), justify=justify, no_wrap=column != "verdict", overflow="fold")
    for row in rows[1:]:
        table.add_row(*(Text(row[column]) for column in columns))
    return table


def _sentence(row: dict[str, str]) -> Text:
    return Text(row["verdict"] if row["verdict"].startswith(row["entry"]) else f"{row['entry']}: {row['verdict']}")


def _paragraph(row: dict[str, str], columns: tuple[str, ...]) -> RenderableType:
    first = next(column for column in columns if column != "rank")
    details = [f"{column}: {row[column]}" for column in columns if column not in {"rank", first, "verdict"}]
    title = f"{row['rank']}. {row[first]}" if "rank" in columns else row[first]
    said = [row["verdict"]] if "verdict" in columns else []
    return Group(
        Text(title, style="bold"),
        Padding(Group(*(Text(line) for line in (*details, *said))), (0, 0, 0, 3), expand=False),
    )
