"""The blocks of a board, workload after workload, in each of the tracks."""

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.records import Record, Skipped
from bnbench.records.costs import Costs
from bnbench.scoring.block import GIVEN, Block, block
from bnbench.scoring.board import Workload
from bnbench.scoring.collect import collect
from bnbench.scoring.details import with_details
from bnbench.scoring.entry_curves import SCORING, SCORING_AND_TUNING, WorkloadCurves
from bnbench.scoring.tracks import RECIPE, TUNED, recipe_records, tuned_records
from bnbench.scoring.tuned_block import tuned_block
from bnbench.scoring.workload_names import without_rate, workload_names


@dataclass(frozen=True)
class Scored:
    """What was scored: blocks in the order of the board, and the records that count, each in its track."""

    workloads: tuple[Workload, ...]
    blocks: tuple[Block, ...]
    records: tuple[Record, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def score_tracks(
    records: Sequence[Record],
    *,
    track: str | None,
    levels: Sequence[str],
    target: float | None,
    reference: str,
    costs: Costs | None,
) -> Scored:
    """Return the blocks of `track`, of both where it is None, in every target level."""
    skipped: list[Skipped] = []
    in_tracks: list[tuple[WorkloadCurves, str, str]] = []
    used: list[Record] = []
    for name, own, refused in _by_track(records, track):
        collected, not_counted = collect(
            own, reference=reference, seeds=SCORING if name == RECIPE else SCORING_AND_TUNING
        )
        skipped += [*refused, *not_counted]
        named = [
            (each.workload_id, each.dataset, each.config if name == RECIPE else without_rate(each.config))
            for each in collected
        ]
        names = workload_names(named)
        in_tracks += [(each, name, names[each.workload_id]) for each in collected]
        counted = {path for each in collected for entry in each.entries for path in entry.paths}
        used += [record for record in own if record.path in counted]
    in_tracks.sort(key=lambda each: (each[0].dataset, each[1]))
    workloads: list[Workload] = []
    blocks: list[Block] = []
    notes: list[str] = []
    for curves, name, told in in_tracks:
        if curves.other_ladders and target is None:
            notes.append(
                f"{told}: {curves.other_ladders} record(s) were made under other targets; the newest ladder is used for "
                f"all: {curves.targets.get('provenance')}"
            )
        for level in levels:
            workload = described(curves, name=told, level=level, target=target)
            made, said = _block(curves, workload, track=name, reference=reference)
            notes += said
            if made is not None:
                workloads.append(workload)
                hard = curves.targets.get("hard")
                blocks.append(with_details(made, costs=costs, hard_target=None if hard is None else float(hard)))
    return Scored(tuple(workloads), tuple(blocks), tuple(used), tuple(skipped), tuple(notes))


def _by_track(records: Sequence[Record], track: str | None) -> list[tuple[str, list[Record], list[Skipped]]]:
    found: list[tuple[str, list[Record], list[Skipped]]] = []
    if track in (None, RECIPE):
        found.append((RECIPE, recipe_records(records, every_rate=track == RECIPE), []))
    if track in (None, TUNED):
        found.append((TUNED, *tuned_records(records)))
    return found


def _block(
    curves: WorkloadCurves, workload: Workload, *, track: str, reference: str
) -> tuple[Block | None, tuple[str, ...]]:
    if track == TUNED:
        return tuned_block(curves, workload, reference=reference)
    made = block(curves.entries, workload, track=track, reference=reference)
    return made, made.notes


def described(workload: WorkloadCurves, *, name: str, level: str, target: float | None) -> Workload:
    """Return what the rows of a workload are measured under at a target level."""
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
