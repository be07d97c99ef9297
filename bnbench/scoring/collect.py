"""From records to what can be compared: per workload one evaluation grid, per entry one matrix of metric values."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import UserError
from bnbench.metric_facts import facts_of
from bnbench.records import Record, Skipped, digest
from bnbench.scoring.entry_curves import (
    RESERVED_SEEDS,
    SCORING,
    TUNING,
    EntryCurves,
    WorkloadCurves,
    joined,
)
from bnbench.scoring.rules import RefusedError, Rules, rules_of, under_one_rule
from bnbench.scoring.times import Floats
from bnbench.scoring.tracks import TUNED, learning_rate

LARGEST = float(np.finfo(float).max)


def collect(
    records: Sequence[Record], *, reference: str, seeds: range = SCORING
) -> tuple[list[WorkloadCurves], list[Skipped]]:
    """Return the comparable curves per workload, and every record or seed that does not count, with the reason.

    Only seeds within `seeds` count; where those are the scored ones, that reserved ones do not is one of the reasons.
    """
    skipped: list[Skipped] = []
    workloads: dict[str, list[tuple[Record, Rules]]] = {}
    for record in records:
        try:
            rules = rules_of(record)
        except RefusedError as refused:
            skipped.append(Skipped(record.path, str(refused)))
        else:
            workloads.setdefault(record.workload_id, []).append((record, rules))
    collected = []
    for workload_id in sorted(workloads, key=lambda key: (workloads[key][0][0].dataset, key)):
        kept, refused_records = under_one_rule(workloads[workload_id], reference=reference)
        skipped += refused_records
        read = [_curves_or_skip(record, rules, skipped, wanted=seeds) for record, rules in kept]
        curves = [curve for curve in read if curve is not None]
        if curves:
            first, rules = kept[0]
            entries = tuple(_distinct(_merged(curves, skipped)))
            ladder = newest_ladder([record for record, _ in kept])
            collected.append(WorkloadCurves(workload_id, first.dataset, first.config, rules, *ladder, entries))
    return collected, skipped


def newest_ladder(records: Sequence[Record]) -> tuple[dict[str, Any], int]:
    """Return the target ladder of the record that was started last, and how many others its workload's records hold.

    A ladder says how curves are read, not how they came about, so the newest serves for all of them. Records of
    reserved seeds alone have no say: they come before the ladder they set.
    """
    scored = [record for record in records if any(seed["seed"] < RESERVED_SEEDS for seed in record.seeds)]
    dated = sorted(scored, key=lambda record: str(record.environment.get("started_at") or ""))
    ladders = [record.targets for record in dated if record.targets]
    return (ladders[-1], sum(ladder != ladders[-1] for ladder in ladders)) if ladders else ({}, 0)


def _curves_or_skip(record: Record, rules: Rules, skipped: list[Skipped], *, wanted: range) -> EntryCurves | None:
    _note_reserved(record, skipped, wanted=wanted)
    columns = _columns(record, [seed for seed in record.seeds if seed["seed"] in wanted], rules, skipped)
    if not columns:
        return None
    rows = _rows(record, columns, rules, skipped, wanted=wanted)
    if not rows:
        return None
    seeds = [seed for seed in record.seeds if seed["seed"] in rows]
    seeds.sort(key=lambda seed: int(seed["seed"]))
    diverged = np.array([seed["status"] == "diverged" for seed in seeds])
    ends = [seed.get("final") or {} for seed in seeds]
    return EntryCurves(
        entry=record.entry,
        norm=record.norm,
        cell_id=record.cell_id,
        entry_id=digest(record.identity["entry"]),
        recorded_entry=record.entry,
        recorded_workload_id=record.raw["workload_id"],
        track=record.track,
        learning_rate=learning_rate(record),
        seeds=np.array([seed["seed"] for seed in seeds], dtype=np.int64),
        steps=rules.steps().astype(float),
        values=np.stack([rows[seed["seed"]] for seed in seeds]),
        diverged=diverged,
        diverged_at_step=_numbers(
            seed.get("diverged_at_step") if seed["status"] == "diverged" else None for seed in seeds
        ),
        finals=_numbers(end.get(f"val_{rules.metric}") for end in ends),
        bests=_numbers(end.get(f"best_val_{rules.metric}") for end in ends),
        tests=_numbers(end.get(f"test_{rules.metric}") for end in ends),
        spikes=_numbers(seed.get("spikes") for seed in seeds),
        trivial=record.metric.get("trivial") if facts_of(rules.metric).trivial_is_poor else None,
        samples_per_step=_per_step(columns, "samples"),
        epochs_per_step=_per_step(columns, "epoch"),
        paths=(record.path,),
    )


def _per_step(columns: dict[str, NDArray[Any]], name: str) -> float | None:
    """Return a counter's growth per step, by the row that is furthest."""
    last = int(np.argmax(columns["step"]))
    step, value = float(columns["step"][last]), float(columns[name][last])
    return value / step if step > 0 and np.isfinite(value) else None


def _note_reserved(record: Record, skipped: list[Skipped], *, wanted: range) -> None:
    """Say which seeds do not count; that the tuned track has seeds to tune on is as it should be."""
    known = TUNING if record.raw["track"] == TUNED else range(0)
    reserved = [
        seed["seed"]
        for seed in record.seeds
        if seed["seed"] >= RESERVED_SEEDS and seed["seed"] not in wanted and seed["seed"] not in known
    ]
    if reserved:
        listed = f"{len(reserved)} reserved seed(s) from {min(reserved):,} on"
        skipped.append(Skipped(record.path, f"{listed}: they tune or set targets and are never scored"))


def _columns(
    record: Record, seeds: list[dict[str, Any]], rules: Rules, skipped: list[Skipped]
) -> dict[str, NDArray[Any]]:
    """Return the record's history, by seed and step; nothing where no seed is wanted or it cannot be read."""
    if not seeds:
        return {}
    try:
        columns = record.history(("seed", "step", "epoch", "samples", f"val_{rules.metric}"))
    except UserError as error:
        skipped.append(Skipped(record.path, str(error).removeprefix(f"{record.path}: ")))
        return {}
    order = np.lexsort((columns["step"], columns["seed"]))
    return {name: column[order] for name, column in columns.items()}


def _rows(
    record: Record, columns: dict[str, NDArray[Any]], rules: Rules, skipped: list[Skipped], *, wanted: range
) -> dict[int, Floats]:
    """Return the metric (g,) of every seed that was watched to its end."""
    steps, values = rules.steps(), columns[f"val_{rules.metric}"]
    seeds = sorted(seed["seed"] for seed in record.seeds)
    alive = all(seed["status"] != "diverged" for seed in record.seeds)
    if alive and _all_at(columns["seed"], columns["step"], seeds, steps):
        found = zip(seeds, values.reshape(len(seeds), len(steps)), strict=True)
        return {seed: row for seed, row in found if seed in wanted}
    rows: dict[int, Floats] = {}
    for seed in record.seeds:
        if seed["seed"] not in wanted:
            continue
        try:
            rows[seed["seed"]] = _values(columns["seed"], columns["step"], values, seed, steps)
        except RefusedError as refused:
            skipped.append(Skipped(record.path, f"seed {seed['seed']} does not count: {refused}"))
    return rows


def _all_at(row_seeds: NDArray[Any], row_steps: NDArray[Any], seeds: list[int], steps: NDArray[np.int64]) -> bool:
    """Whether the rows are those of all seeds at all steps, as of nearly every record: then nothing is looked for."""
    if len(row_steps) != len(seeds) * len(steps):
        return False
    grid = (len(seeds), len(steps))
    return bool(
        (row_steps.reshape(grid) == steps).all() and (row_seeds.reshape(grid) == np.array(seeds)[:, None]).all()
    )


def _numbers(values: Iterable[Any]) -> Floats:
    """What is no number, or larger than any float, is not known."""
    return np.array(
        [value if isinstance(value, int | float) and abs(value) <= LARGEST else np.nan for value in values], float
    )


def _values(
    row_seeds: NDArray[Any],
    row_steps: NDArray[Any],
    row_values: NDArray[Any],
    seed: dict[str, Any],
    steps: NDArray[np.int64],
) -> Floats:
    """Return one seed's metric (g,) on the workload's steps; raises RefusedError if it was not watched to its end."""
    alive = len(steps)
    if seed["status"] == "diverged":
        if seed.get("diverged_at_step") is None:
            raise RefusedError("it diverged at no known step")
        # Step 0 is recorded even by a seed that diverges there.
        alive = max(1, int(np.searchsorted(steps, seed["diverged_at_step"])))
    start, stop = np.searchsorted(row_seeds, [seed["seed"], seed["seed"] + 1])
    if not np.array_equal(row_steps[start:stop], steps[:alive]):
        raise RefusedError(f"its rows are not at the steps 0 to {steps[alive - 1]} that its budget says")
    values = np.full(len(steps), np.nan)
    values[:alive] = row_values[start:stop]
    return values


def _merged(curves: list[EntryCurves], skipped: list[Skipped]) -> list[EntryCurves]:
    """Join the records of one cell, seeds in order."""
    cells: dict[tuple[str, str], list[EntryCurves]] = {}
    for curve in curves:
        cells.setdefault((curve.track, curve.cell_id), []).append(curve)
    return [_joined(parts, skipped) for parts in cells.values()]


def _joined(parts: list[EntryCurves], skipped: list[Skipped]) -> EntryCurves:
    whole, doubled = joined(parts)
    if doubled:
        skipped.append(
            Skipped(Path(whole.cell_id), f"{doubled} seed(s) of {whole.entry} lie twice; the first copy counts")
        )
    return whole


def _distinct(entries: list[EntryCurves]) -> list[EntryCurves]:
    """Tell apart entries of the same text (another version of the norm, say) by an id.

    It is the start of their cell_id where the workload is one, of their entry_id where it has many learning rates.
    """
    ids: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        ids.setdefault((entry.track, entry.entry), set()).add(entry.entry_id)
    one_rate = len({entry.learning_rate for entry in entries}) == 1

    def named(entry: EntryCurves) -> EntryCurves:
        if len(ids[entry.track, entry.entry]) == 1:
            return entry
        return replace(entry, entry=f"{entry.entry} [{(entry.cell_id if one_rate else entry.entry_id)[:6]}]")

    return [named(entry) for entry in entries]
