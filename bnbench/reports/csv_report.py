"""The board as CSV: one line per row, every key of the JSON flattened, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from io import StringIO
from types import UnionType
from typing import Any, get_args, get_type_hints

from bnbench.scoring.board import Board, Row, Workload

# What a spreadsheet may take for a formula when a cell begins with it.
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
OF_WORKLOAD = ("metric", "direction", "target", "provenance", "max_steps", "eval_every_steps")


def to_csv(board: Board) -> str:
    """Return the rows with a header; nothing is an empty cell, and text that looks like a formula begins with '."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header())
    writer.writerows([_cell(value) for value in row] for row in flat_rows(board))
    return stream.getvalue()


def flat_rows(board: Board) -> Iterator[list[Any]]:
    """Yield the values of every row, in the order of the header, None where nothing is known."""
    columns = _columns(Row)
    for workload in board.workloads:
        shared = [value for name, value in asdict(workload).items() if name in OF_WORKLOAD]
        for _, rows in board.rows_of(workload):
            yield from ([*_values(row, columns), *shared] for row in rows)


def header() -> list[str]:
    """Return the columns, which are the same for an empty board."""
    return [
        *("_".join(path) for path in _columns(Row)),
        *(field.name for field in fields(Workload) if field.name in OF_WORKLOAD),
    ]


def _columns(kind: type) -> tuple[tuple[str, ...], ...]:
    """Return the path to every plain value of a dataclass, through the dataclasses in it."""
    return tuple(_paths(kind))


def _paths(kind: Any) -> Iterator[tuple[str, ...]]:
    hints = get_type_hints(kind)
    for field in fields(kind):
        hint = hints[field.name]
        kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        nested = next((each for each in kinds if is_dataclass(each)), None)
        yield from ((field.name, *rest) for rest in (_paths(nested) if nested else [()]))


def _values(row: Row, columns: tuple[tuple[str, ...], ...]) -> list[Any]:
    """What a part that is None would hold is not known either."""
    found = []
    for path in columns:
        value: Any = row
        for name in path:
            value = None if value is None else getattr(value, name)
        found.append(value)
    return found


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.lstrip().startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value
