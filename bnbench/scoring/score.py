"""From runs to a board: the one function that puts the rules together."""

from collections.abc import Collection, Sequence
from math import isfinite

from bnbench.errors import UserError, nearest
from bnbench.records import Record, Runs, Skipped
from bnbench.scoring.board import Board, Row, Workload
from bnbench.scoring.collect import WorkloadCurves, collect
from bnbench.scoring.rows import GIVEN, block
from bnbench.scoring.rules import is_reference
from bnbench.scoring.workload_names import workload_names

LEVELS = ("easy", "medium", "hard")
ALL_LEVELS = "all"


def score(
    runs: Runs,
    *,
    target: float | None = None,
    level: str = "hard",
    reference: str = "none",
    norms: Collection[str] | None = None,
    datasets: Collection[str] | None = None,
    experiments: Collection[str] | None = None,
) -> Board:
    """Return the board of `runs`: in every workload, target level and track the entries ranked and judged.

    `target` overrides the ladder; else `level` is easy, medium, hard or all. `datasets` and `experiments` choose
    records. `norms` chooses what is shown after everything is scored, so that what is shown never changes what is
    concluded; the reference is always shown. Raises UserError for a target, level, norm, dataset or experiment that
    does not exist.
    """
    levels = _levels(target, level)
    records = _chosen(runs.records, norms=norms, datasets=datasets, experiments=experiments)
    workloads, refused = collect(records, reference=reference)
    names = workload_names([(each.workload_id, each.dataset, each.config) for each in workloads])
    described: list[Workload] = []
    rows: list[Row] = []
    notes: list[str] = []
    for each in workloads:
        if each.other_ladders and target is None:
            notes.append(
                f"{names[each.workload_id]}: {each.other_ladders} record(s) were made under other targets; the newest "
                f"ladder is used for all: {each.targets.get('provenance')}"
            )
        for one_level in levels:
            workload = _described(each, name=names[each.workload_id], level=one_level, target=target)
            described.append(workload)
            for track in sorted({entry.track for entry in each.entries}):
                entries = [entry for entry in each.entries if entry.track == track]
                judged, said = block(entries, workload, track=track, reference=reference)
                rows += judged
                notes += said
    shown = [row for row in rows if norms is None or row.norm in norms or row.is_reference]
    if len(shown) < len(rows):
        notes.append(f"{len(shown)} of {len(rows)} rows are shown; ranks and corrections count all of them.")
    if records and not any(is_reference(record.entry, record.norm, reference) for record in records):
        known = {record.entry for record in records} | {record.norm for record in records}
        notes.insert(0, f"the reference '{reference}' is in none of these runs: {nearest(reference, known)}")
    return Board(reference, tuple(described), tuple(shown), (*not_scored(runs), *refused), tuple(notes))


def not_scored(runs: Runs) -> list[Skipped]:
    """Return what the reader left out, each with its reason: unreadable folders, failed records, double seeds."""
    finished = {(record.cell_id, seed["seed"]) for record in runs.records for seed in record.seeds}
    # a failure whose seeds were all trained since is history, not a gap
    failed = [record for record in runs.failed if not _seeds(record) <= finished]
    return [
        *runs.skipped,
        *(Skipped(record.path, _failure(record)) for record in failed),
        *(Skipped(overlap.path, overlap.reason) for overlap in (*runs.copies, *runs.conflicts)),
    ]


def _seeds(record: Record) -> set[tuple[str, int]]:
    return {(record.cell_id, seed["seed"]) for seed in record.raw["seeds"]}


def _failure(record: Record) -> str:
    error = record.error or {}
    return f"failed: {error.get('type', 'unknown error')}: {error.get('message', '')}".rstrip(": ")


def _levels(target: float | None, level: str) -> tuple[str, ...]:
    if target is not None:
        if not isfinite(target):
            raise UserError(f"target is {target}; expected a finite number")
        return (GIVEN,)
    if level == ALL_LEVELS:
        return LEVELS
    if level not in LEVELS:
        raise UserError(f"unknown level '{level}': {nearest(level, (*LEVELS, ALL_LEVELS))}")
    return (level,)


def _chosen(
    records: Sequence[Record],
    *,
    norms: Collection[str] | None,
    datasets: Collection[str] | None,
    experiments: Collection[str] | None,
) -> list[Record]:
    require_known("norm", norms, {record.norm for record in records})
    require_known("dataset", datasets, {record.dataset for record in records})
    require_known("experiment", experiments, {name for record in records for name in record.experiments})
    return [
        record
        for record in records
        if (datasets is None or record.dataset in datasets)
        and (experiments is None or not set(experiments).isdisjoint(record.experiments))
    ]


def require_known(kind: str, asked: Collection[str] | None, known: Collection[str]) -> None:
    """Raise UserError naming the first of `asked` that is not among the `known`, and the nearest that is."""
    for name in asked or ():
        if name not in known:
            raise UserError(f"unknown {kind} '{name}' in these runs: {nearest(name, known)}")


def _described(workload: WorkloadCurves, *, name: str, level: str, target: float | None) -> Workload:
    ladder_value = workload.targets.get(level)
    return Workload(
        workload=name,
        workload_id=workload.workload_id,
        metric=workload.rules.metric,
        direction=workload.rules.direction,
        target=target if level == GIVEN else None if ladder_value is None else float(ladder_value),
        target_level=level,
        provenance="given by hand" if level == GIVEN else str(workload.targets.get("provenance") or "none"),
        max_steps=workload.rules.max_steps,
        eval_every_steps=workload.rules.eval_every_steps,
    )
