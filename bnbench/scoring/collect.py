"""From records to what can be compared: per workload one evaluation grid, per entry one matrix of metric values."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import UserError
from bnbench.records import Record, Skipped
from bnbench.scoring.rules import RefusedError, Rules, rules_of, under_one_rule
from bnbench.scoring.times import Bools, Floats

LARGEST = float(np.finfo(float).max)
RESERVED_SEEDS = 1_000_000
"""Seeds from here on tune or set targets; they are never scored."""
SCORING = range(RESERVED_SEEDS)
TUNING = range(RESERVED_SEEDS, 2 * RESERVED_SEEDS)
"""Seeds that choose among learning rates."""


@dataclass(frozen=True)
class EntryCurves:
    """One entry's scored seeds in one workload: the metric's `values` (n, g) at `steps` (g,), NaN without a row."""

    entry: str
    norm: str
    cell_id: str
    track: str
    seeds: NDArray[np.int64]
    steps: Floats
    values: Floats
    diverged: Bools
    diverged_at_step: Floats
    finals: Floats
    tests: Floats
    trivial: float | None


@dataclass(frozen=True)
class WorkloadCurves:
    """Everything scored in one workload."""

    workload_id: str
    dataset: str
    config: dict[str, Any]
    rules: Rules
    targets: dict[str, Any]
    other_ladders: int
    entries: tuple[EntryCurves, ...]


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
    if wanted == SCORING:
        _note_reserved(record, skipped)
    rows = _rows(record, [seed for seed in record.seeds if seed["seed"] in wanted], rules, skipped)
    if not rows:
        return None
    seeds = [seed for seed in record.seeds if seed["seed"] in rows]
    seeds.sort(key=lambda seed: int(seed["seed"]))
    diverged = np.array([seed["status"] == "diverged" for seed in seeds])
    return EntryCurves(
        entry=record.entry,
        norm=record.norm,
        cell_id=record.cell_id,
        track=record.track,
        seeds=np.array([seed["seed"] for seed in seeds], dtype=np.int64),
        steps=rules.steps().astype(float),
        values=np.stack([rows[seed["seed"]] for seed in seeds]),
        diverged=diverged,
        diverged_at_step=_numbers(
            seed.get("diverged_at_step") if seed["status"] == "diverged" else None for seed in seeds
        ),
        finals=_numbers((seed.get("final") or {}).get(f"val_{rules.metric}") for seed in seeds),
        tests=_numbers((seed.get("final") or {}).get(f"test_{rules.metric}") for seed in seeds),
        trivial=record.metric.get("trivial"),
    )


def _note_reserved(record: Record, skipped: list[Skipped]) -> None:
    reserved = [seed["seed"] for seed in record.seeds if seed["seed"] >= RESERVED_SEEDS]
    if reserved:
        listed = f"{len(reserved)} reserved seed(s) from {min(reserved):,} on"
        skipped.append(Skipped(record.path, f"{listed}: they tune or set targets and are never scored"))


def _rows(record: Record, seeds: list[dict[str, Any]], rules: Rules, skipped: list[Skipped]) -> dict[int, Floats]:
    """Return the metric (g,) of every seed that was watched to its end."""
    rows: dict[int, Floats] = {}
    if not seeds:
        return rows
    try:
        columns = record.history()
    except UserError as error:
        skipped.append(Skipped(record.path, str(error).removeprefix(f"{record.path}: ")))
        return rows
    steps = rules.steps()
    order = np.lexsort((columns["step"], columns["seed"]))
    row_seeds, row_steps, row_values = (columns[name][order] for name in ("seed", "step", f"val_{rules.metric}"))
    for seed in seeds:
        try:
            rows[seed["seed"]] = _values(row_seeds, row_steps, row_values, seed, steps)
        except RefusedError as refused:
            skipped.append(Skipped(record.path, f"seed {seed['seed']} does not count: {refused}"))
    return rows


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
    first = parts[0]
    seeds, index = np.unique(np.concatenate([part.seeds for part in parts]), return_index=True)
    doubled = sum(len(part.seeds) for part in parts) - len(seeds)
    if doubled:
        skipped.append(
            Skipped(Path(first.cell_id), f"{doubled} seed(s) of {first.entry} lie twice; the first copy counts")
        )
    return replace(
        first,
        seeds=seeds,
        values=np.concatenate([part.values for part in parts])[index],
        diverged=np.concatenate([part.diverged for part in parts])[index],
        diverged_at_step=np.concatenate([part.diverged_at_step for part in parts])[index],
        finals=np.concatenate([part.finals for part in parts])[index],
        tests=np.concatenate([part.tests for part in parts])[index],
    )


def _distinct(entries: list[EntryCurves]) -> list[EntryCurves]:
    """Tell apart cells of the same text (another version of the norm, say) by the start of their cell_id."""
    shared = Counter((entry.track, entry.entry) for entry in entries)
    return [
        replace(entry, entry=f"{entry.entry} [{entry.cell_id[:6]}]") if shared[entry.track, entry.entry] > 1 else entry
        for entry in entries
    ]
