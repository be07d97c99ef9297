"""The board in a terminal: a table where it fits, one short paragraph per entry where it does not."""

from io import StringIO
from itertools import zip_longest
from textwrap import wrap
from typing import IO

from rich.cells import cell_len, chop_cells
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from bnbench.reports.cells import Block, blocks, footnotes, skipped_lines
from bnbench.reports.sections import sections
from bnbench.scoring.board import Board

WIDE_ENOUGH_FOR_VERDICTS = 170
NARROWEST_VERDICT = 30
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
    numbers = tuple(column for column in block.columns if column != "verdict")
    if numbers != block.columns and width >= WIDE_ENOUGH_FOR_VERDICTS:
        rest = width - _width((header, *block.rows), numbers, gap=2) - 2
        if rest >= NARROWEST_VERDICT:
            rows = tuple({**row, "verdict": "\n".join(_wrapped(row["verdict"], rest))} for row in block.rows)
            return [_table((header, *rows), block.columns, gap=2)]
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
    return sum(_widths(rows, columns).values()) + gap * (len(columns) - 1)


def _widths(rows: tuple[dict[str, str], ...], columns: tuple[str, ...]) -> dict[str, int]:
    return {column: max(_cell_len(line) for row in rows for line in row[column].split("\n")) for column in columns}


def _cell_len(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _table(rows: tuple[dict[str, str], ...], columns: tuple[str, ...], *, gap: int) -> Text:
    """The first of `rows` is the header. Laid out here: a library's tables take as long as all the scoring."""
    widths = _widths(rows, columns)
    made = Text(no_wrap=True, overflow="ignore")
    for number, row in enumerate(rows):
        parts = [row[column].split("\n") for column in columns]
        if number == 0:
            height = max(map(len, parts))
            parts = [[""] * (height - len(part)) + part for part in parts]
        lines = zip_longest(*parts, fillvalue="")
        texts = [
            (" " * gap).join(_padded(text, widths[column], column) for text, column in zip(line, columns, strict=True))
            for line in lines
        ]
        made.append("".join(f"{text.rstrip()}\n" for text in texts), style="bold" if number == 0 else None)
    made.right_crop(1)
    return made


def _padded(text: str, width: int, column: str) -> str:
    spaces = " " * (width - _cell_len(text))
    return spaces + text if column in NUMBERS else text + spaces


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of words; names in scripts with wide letters are cut where they must be."""
    if _cell_len(text) == len(text):
        return wrap(text, width, break_on_hyphens=False)
    return chop_cells(text, width)


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
