"""The tracks that cells were asked for, which the records that trained them need not know of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bnbench.records.record import Record

RECIPE, TUNED = "recipe", "tuned"

Tracks = Mapping[str, Iterable[str]]
"""``{cell_id: tracks}``; what is asked of a cell that is not in it stands in its records."""


def tracks_of(record: Record) -> set[str]:
    """Return the tracks a record was trained for: a cell of the tuned track may also be the recipe."""
    rate = record.config.get("recipe_lr")
    return {record.track} | ({RECIPE} if rate is not None and rate == _learning_rate(record) else set())


def tracks_by_cell(records: Iterable[Record]) -> dict[str, set[str]]:
    """Return the tracks of every cell, of all its records together."""
    found: dict[str, set[str]] = {}
    for record in records:
        found.setdefault(record.cell_id, set()).update(tracks_of(record))
    return found


def in_tracks(records: Sequence[Record], asked: Tracks) -> list[Record]:
    """Return the records in the tracks their cells are asked for, whatever they were trained for first.

    A record has room for one track, and for the recipe beside the tuned one: it says ``tuned`` where that is among
    them, and then has its own learning rate as ``recipe_lr`` where the recipe is. A cell that is asked for nothing
    keeps the tracks of all its records.
    """
    own = tracks_by_cell(records)
    return [_in(record, set(asked.get(record.cell_id, ())) or own[record.cell_id]) for record in records]


def united(*several: Tracks) -> dict[str, set[str]]:
    """Return what is asked of every cell by any of them.

    >>> united({"a": ["recipe"]}, {"a": ["tuned"], "b": ["tuned"]}) == {"a": {"recipe", "tuned"}, "b": {"tuned"}}
    True
    """
    found: dict[str, set[str]] = {}
    for asked in several:
        for cell_id, tracks in asked.items():
            found.setdefault(cell_id, set()).update(tracks)
    return found


def _in(record: Record, tracks: set[str]) -> Record:
    if tracks == tracks_of(record):
        return record
    if TUNED not in tracks:
        return replace(record, track=RECIPE)
    rate = _learning_rate(record) if RECIPE in tracks else None
    return replace(record, track=TUNED, config={**record.config, "recipe_lr": rate})


def _learning_rate(record: Record) -> Any:
    """Return the rate of the identity, which decides the numbers, or of the configuration in a foreign record."""
    workload = record.identity.get("workload")
    for place in (workload, record.config):
        optimizer = place.get("optimizer") if isinstance(place, Mapping) else None
        if isinstance(optimizer, Mapping) and "lr" in optimizer:
            return optimizer["lr"]
    return None
