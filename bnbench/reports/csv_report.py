"""The board as CSV: one line per row, every key of the JSON flattened, safe to open in a spreadsheet."""

import csv
from collections.abc import Mapping
from dataclasses import asdict, fields
from io import StringIO
from typing import Any

from bnbench.scoring.board import Board, Final, HitRateInterval, Row, Speedup, StepsToTarget, Workload

NESTED = {
    "hit_rate_interval": HitRateInterval,
    "steps_to_target": StepsToTarget,
    "speedup": Speedup,
    "final": Final,
}
# What a spreadsheet may take for a formula when a cell begins with it.
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
OF_WORKLOAD = ("metric", "direction", "target", "provenance", "max_steps", "eval_every_steps")


def to_csv(board: Board) -> str:
    """Return the rows with a header; nothing is an empty cell, and text that looks like a formula begins with '."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header())
    for workload in board.workloads:
        shared = {name: value for name, value in asdict(workload).items() if name in OF_WORKLOAD}
        for _, rows in board.rows_of(workload):
            writer.writerows([_cell(value) for value in (_flat(asdict(row)) | shared).values()] for row in rows)
    return stream.getvalue()


def header() -> list[str]:
    """Return the columns, which are the same for an empty board."""
    names = []
    for field in fields(Row):
        nested = NESTED.get(field.name)
        names += [f"{field.name}_{inner.name}" for inner in fields(nested)] if nested else [field.name]
    return [*names, *(field.name for field in fields(Workload) if field.name in OF_WORKLOAD)]


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= {f"{name}_{key}": inner for key, inner in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.lstrip().startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value
