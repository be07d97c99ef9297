"""The blocks of a board, workload after workload, in each of the tracks."""

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.records import Record, Skipped
from bnbench.records.costs import Costs
from bnbench.scoring.block import GIVEN, Block, block
from bnbench.scoring.board import Tunability, Workload
from bnbench.scoring.collect import collect
from bnbench.scoring.details import goal_of, with_details
from bnbench.scoring.entry_curves import SCORING, SCORING_AND_TUNING, WorkloadCurves
from bnbench.scoring.grid import grid_of
from bnbench.scoring.tracks import RECIPE, TUNED, recipe_records, tuned_records
from bnbench.scoring.tunability import tunability_of
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
    tunability: tuple[Tunability, ...]


@dataclass(frozen=True)
class _Named:
    """What was collected of a workload in one track, by its name on this board."""

    curves: WorkloadCurves
    track: str
    name: str


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
    named, used, skipped = _collected(records, track=track, reference=reference)
    parts = []
    notes: list[str] = []
    for each in sorted(named, key=lambda each: (each.curves.dataset, each.track)):
        ladders = each.curves.other_ladders
        if ladders and target is None:
            notes.append(
                f"{each.name}: {ladders} record(s) were made under other targets; the newest ladder is used for all: "
                f"{each.curves.targets.get('provenance')}"
            )
        for level in levels:
            workload = described(each.curves, name=each.name, level=level, target=target)
            block, said, tunability = _scored(each, workload, reference=reference, costs=costs)
            notes += said
            if block is not None:
                parts.append((block, tunability))
    return Scored(
        tuple(block.workload for block, _ in parts),
        tuple(block for block, _ in parts),
        tuple(used),
        tuple(skipped),
        tuple(notes),
        tuple(one for _, tunability in parts for one in tunability),
    )


def _collected(
    records: Sequence[Record], *, track: str | None, reference: str
) -> tuple[list[_Named], list[Record], list[Skipped]]:
    """Return the workloads of each track, the records that count in them, and what does not count."""
    named: list[_Named] = []
    used: list[Record] = []
    skipped: list[Skipped] = []
    for in_track, own, refused in _by_track(records, track):
        seeds = SCORING if in_track == RECIPE else SCORING_AND_TUNING
        collected, not_counted = collect(own, reference=reference, seeds=seeds)
        skipped += [*refused, *not_counted]
        told = [each.config if in_track == RECIPE else without_rate(each.config) for each in collected]
        names = workload_names(
            [(each.workload_id, each.dataset, config) for each, config in zip(collected, told, strict=True)]
        )
        named += [_Named(each, in_track, names[each.workload_id]) for each in collected]
        counted = {path for each in collected for entry in each.entries for path in entry.paths}
        used += [record for record in own if record.path in counted]
    return named, used, skipped


def _scored(
    named: _Named, workload: Workload, *, reference: str, costs: Costs | None
) -> tuple[Block | None, tuple[str, ...], list[Tunability]]:
    """Return the block, what is said of it, and in the tuned track what the learning rates did."""
    curves = named.curves
    if named.track == RECIPE:
        made = block(curves.entries, workload, track=named.track, reference=reference)
        return with_details(made, costs=costs, goal=goal_of(made, curves.targets)), made.notes, []
    grid = grid_of(curves, target=workload.target)
    tuned, said = tuned_block(grid, workload, reference=reference)
    if tuned is None:
        return None, said, []
    goal = goal_of(tuned, curves.targets)
    tunability = tunability_of(grid, curves, workload, goal=goal)
    return with_details(tuned, costs=costs, goal=goal), said, tunability


def _by_track(records: Sequence[Record], track: str | None) -> list[tuple[str, list[Record], list[Skipped]]]:
    found: list[tuple[str, list[Record], list[Skipped]]] = []
    if track in (None, RECIPE):
        found.append((RECIPE, recipe_records(records, every_rate=track == RECIPE), []))
    if track in (None, TUNED):
        found.append((TUNED, *tuned_records(records)))
    return found


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
