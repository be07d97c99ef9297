"""Which records make the recipe track, one learning rate for all, and which the tuned, where each entry has its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bnbench.records import Record, Skipped, digest
from bnbench.records.tracks import RECIPE as RECIPE
from bnbench.records.tracks import TUNED as TUNED
from bnbench.records.tracks import tracks_of

TRACKS = (RECIPE, TUNED)


def learning_rate(record: Record) -> float | None:
    """Return the learning rate a record was trained at, None where its configuration names none."""
    optimizer = record.config.get("optimizer")
    rate = optimizer.get("lr") if isinstance(optimizer, dict) else None
    return float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) else None


def recipe_records(records: Sequence[Record], *, every_rate: bool = False) -> list[Record]:
    """Return the records of the recipe track.

    Those that were made for it, and those of the tuned track at the learning rate that their configuration calls the
    recipe's (`recipe_lr`). With `every_rate` all records count, each learning rate being a recipe of its own.
    """
    chosen = [record for record in records if every_rate or RECIPE in tracks_of(record)]
    return [record if record.track == RECIPE else replace(record, track=RECIPE) for record in chosen]


def tuned_records(records: Sequence[Record], *, every_cell: bool = False) -> tuple[list[Record], list[Skipped]]:
    """Return the records of the tuned track, and those that cannot be in it because they name no learning rate.

    Records that differ in learning rate alone get one workload_id. A record that was made for the recipe counts too
    where its cell has one of the tuned track: whatever it was trained for, a seed of a cell is the same. With
    `every_cell` it counts in every workload of the tuned track.
    """
    tuned_datasets = {record.dataset for record in records if record.track == TUNED}
    workload_ids = {id(record): _without_rate(record) for record in records if record.dataset in tuned_datasets}
    tuned_cells = {record.cell_id for record in records if record.track == TUNED}
    tuned_workloads = {workload_ids[id(record)] for record in records if record.track == TUNED}
    chosen = [
        record
        for record in records
        if workload_ids.get(id(record)) in tuned_workloads and (every_cell or record.cell_id in tuned_cells)
    ]
    reason = "its config has no optimizer.lr, by which the tuned track tells learning rates apart"
    return (
        [
            replace(record, track=TUNED, workload_id=workload_ids[id(record)])
            for record in chosen
            if learning_rate(record) is not None
        ],
        [Skipped(record.path, reason) for record in chosen if learning_rate(record) is None],
    )


def _without_rate(record: Record) -> str:
    workload: Mapping[str, Any] = record.identity["workload"]
    optimizer = workload.get("optimizer")
    if not isinstance(optimizer, dict):
        return digest(workload)
    return digest({**workload, "optimizer": {key: value for key, value in optimizer.items() if key != "lr"}})
