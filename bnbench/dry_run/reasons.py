"""Why a cell is new although a record of nearly the same cell exists."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bnbench.records import Record
from bnbench.runs_commands.difference import differences, reason_of
from bnbench.training.cells import Cell

MOST_DIFFERENCES = 3  # beyond, it is another question and not the same cell by another name
SHOWN_OF_A_CHECKSUM = 8


class Recorded:
    """The cells that are recorded, by data set, model and norm: none but these can be nearly the same."""

    def __init__(self, records: Iterable[Record], *, asked: frozenset[str]) -> None:
        # what the sweep itself asks for stands in the matrix and is no older version of its neighbour
        self._alike: dict[tuple[Any, ...], dict[str, Record]] = defaultdict(dict)
        for record in records:
            if record.cell_id not in asked:
                self._alike[_kind(record.identity)][record.cell_id] = record

    def why_new(self, cell: Cell) -> tuple[str, str] | None:
        """Return the id of the recorded cell that is nearest and what differs, None where none is near."""
        found: tuple[str, Mapping[str, tuple[Any, Any]]] | None = None
        for cell_id, record in self._alike.get(_kind(cell.identity), {}).items():
            differing = differences(record.identity, cell.identity)
            if len(differing) <= MOST_DIFFERENCES and (found is None or len(differing) < len(found[1])):
                found = cell_id, differing
        return None if found is None else (found[0], "; ".join(_reasons(found[1])))


def _reasons(differing: Mapping[str, tuple[Any, Any]]) -> Sequence[str]:
    return [
        reason_of(key, (_short(old), _short(new)) if key.endswith(".checksum") else (old, new))
        for key, (old, new) in differing.items()
    ]


def _short(checksum: object) -> str:
    return str(checksum)[:SHOWN_OF_A_CHECKSUM]


def _kind(identity: Mapping[str, Any]) -> tuple[Any, ...]:
    workload = identity["workload"]
    parts = (workload.get("dataset"), workload.get("model"), identity["entry"])
    return tuple(
        str(part.get(key)) if isinstance(part, Mapping) else None
        for part, key in zip(parts, ("name", "name", "norm"), strict=True)
    )
