"""From runs to a board: the one function that puts the rules together."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite

from bnbench.errors import UserError, nearest
from bnbench.records import Record, Runs, Skipped
from bnbench.records.costs import Costs
from bnbench.scoring.across import across_workloads
from bnbench.scoring.block import GIVEN
from bnbench.scoring.board import Across, Board
from bnbench.scoring.diagnostic_curves import diagnoses_of
from bnbench.scoring.drill_down import curves_of, run_facts
from bnbench.scoring.rules import is_reference
from bnbench.scoring.score_tracks import score_tracks
from bnbench.scoring.suites import mixed_suites
from bnbench.scoring.tracks import RECIPE, TRACKS, TUNED, recipe_records

LEVELS = ("easy", "medium", "hard")
ALL_LEVELS = "all"


def score(
    runs: Runs,
    *,
    target: float | None = None,
    level: str = "hard",
    track: str | None = None,
    reference: str = "none",
    norms: Collection[str] | None = None,
    datasets: Collection[str] | None = None,
    experiments: Collection[str] | None = None,
    costs: Costs | None = None,
    curves: bool = False,
) -> Board:
    """Return the board of `runs`: in every workload, target level and track the entries ranked and judged.

    `target` overrides the ladder; else `level` is easy, medium, hard or all. `track` is recipe, where every learning
    rate is a workload of its own, or tuned; by default both are shown as they were recorded. `datasets` and
    `experiments` choose records. `norms` chooses what is shown after everything is scored, so that what is shown never
    changes what is concluded; the reference is always shown. `costs` are what `load_costs` returns. With `curves` the
    board also holds what charts and drill-downs are made from. Raises UserError for a target, level, track, norm,
    dataset or experiment that does not exist.
    """
    levels = _levels(target, level)
    if track is not None and track not in TRACKS:
        raise UserError(f"unknown track '{track}': {nearest(track, TRACKS)}")
    records = _chosen(runs.records, norms=norms, datasets=datasets, experiments=experiments)
    scored = score_tracks(records, track=track, levels=levels, target=target, reference=reference, costs=costs)
    rows = [row for block in scored.blocks for row in block.rows]
    notes = list(scored.notes)
    shown = [row for row in rows if norms is None or row.norm in norms or row.is_reference]
    if track is not None and records and not rows:
        notes.append(f"no record of the {track} track can be scored: they are shown without --track.")
    if track == RECIPE and len(recipe_records(records)) < len(records):
        notes.append(
            "--track recipe: every learning rate is a workload of its own, across workloads too; without --track only "
            "the recipe's own rate counts there."
        )
    if len(shown) < len(rows):
        notes.append(f"{len(shown)} of {len(rows)} rows are shown; ranks and corrections count all of them.")
    if records and not any(is_reference(record.entry, record.norm, reference) for record in records):
        known = {record.entry for record in records} | {record.norm for record in records}
        notes.insert(0, f"the reference '{reference}' is in none of these runs: {nearest(reference, known)}")
    refusal = refused_across(scored.records, experiments)
    across = () if refusal else tuple(map(partial(_shown, norms=norms), across_workloads(scored.blocks)))
    notes += [*refusal, *engine_note(scored.records)]
    visible = {(row.workload_id, row.target_level, row.track, row.entry) for row in shown}
    drawn = [each for block in scored.blocks for each in curves_of(block)] if curves else []
    diagnoses, unread = diagnoses_of(scored.blocks, scored.records) if curves else ([], [])
    in_sight = {(workload_id, in_track, entry) for workload_id, _, in_track, entry in visible}
    return Board(
        reference,
        scored.workloads,
        tuple(shown),
        tuple(dict.fromkeys((*not_scored(runs), *scored.skipped, *unread, *(costs.skipped if costs else ())))),
        tuple(notes),
        across=across,
        tunability=tuple(
            each for each in scored.tunability if (each.workload_id, each.target_level, TUNED, each.entry) in visible
        ),
        curves=tuple(
            each for each in drawn if (each.workload_id, each.target_level, each.track, each.entry) in visible
        ),
        runs=run_facts(scored.records) if curves else (),
        diagnoses=tuple(each for each in diagnoses if (each.workload_id, each.track, each.entry) in in_sight),
    )


def refused_across(records: Sequence[Record], experiments: Collection[str] | None) -> list[str]:
    """Return why nothing is summed up across workloads: the runs are of several versions of one suite."""
    asked = {name for record in records for name in record.experiments}
    mixed = mixed_suites(asked if experiments is None else asked.intersection(experiments))
    return [
        f"no scores across workloads: the runs are of {' and '.join(versions)}, versions of one suite that are never "
        f"summed up together; choose one, e.g. --experiment {versions[-1]}."
        for versions in mixed
    ]


def engine_note(records: Sequence[Record]) -> list[str]:
    """Return what to say where records were made by versions of the engine that give different numbers."""
    versions = Counter(str(record.identity["workload"].get("engine_version", "unknown")) for record in records)
    if len(versions) < 2:
        return []
    told = ", ".join(f"{count} record(s) of {version}" for version, count in sorted(versions.items()))
    return [f"mixed engine versions, whose numbers differ: {told}; they are workloads of their own, never pooled."]


def _shown(across: Across, *, norms: Collection[str] | None) -> Across:
    entries = tuple(each for each in across.entries if norms is None or each.norm in norms or each.is_reference)
    return replace(across, entries=entries)


def not_scored(runs: Runs) -> list[Skipped]:
    """Return what the reader left out, each with its reason: unreadable folders, failed records, double seeds."""
    finished = {(record.cell_id, seed["seed"]) for record in runs.records for seed in record.seeds}
    # a failure whose seeds were all trained since is history, not a gap
    failed = [record for record in runs.failed if not _seeds(record) <= finished]
    # and so is a copy that was trained again to be looked into
    copies = [overlap for overlap in runs.copies if not overlap.superseded]
    return [
        *runs.skipped,
        *(Skipped(record.path, _failure(record)) for record in failed),
        *(Skipped(overlap.path, overlap.reason) for overlap in (*copies, *runs.conflicts)),
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
