"""What is scored of an entry in a workload: one matrix of metric values, and how each seed ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.scoring.rules import Rules
from bnbench.scoring.times import Bools, Floats

RESERVED_SEEDS = 1_000_000
"""Seeds from here on tune or set targets; they are never scored."""
SCORING = range(RESERVED_SEEDS)
TUNING = range(RESERVED_SEEDS, 2 * RESERVED_SEEDS)
"""Seeds that choose among learning rates."""
SCORING_AND_TUNING = range(2 * RESERVED_SEEDS)

PER_SEED = ("seeds", "values", "diverged", "diverged_at_step", "finals", "bests", "tests", "spikes")


@dataclass(frozen=True)
class EntryCurves:
    """One entry's seeds in one workload: the metric's `values` (n, g) at `steps` (g,), NaN without a row.

    `diverged`, `diverged_at_step`, `finals`, `bests` (best validation metric), `tests` (metric on the test part at the
    best step) and `spikes` are (n,), NaN where not known. `trivial` is what a lost seed counts as: None where the
    trivial predictor is not known, or good by the metric, since a lost seed would then look good. `entry_id` tells
    versions of one entry apart; what the record itself is called stands in `recorded_entry` and `recorded_workload_id`.
    """

    entry: str
    norm: str
    cell_id: str
    entry_id: str
    recorded_entry: str
    recorded_workload_id: str
    track: str
    learning_rate: float | None
    seeds: NDArray[np.int64]
    steps: Floats
    values: Floats
    diverged: Bools
    diverged_at_step: Floats
    finals: Floats
    bests: Floats
    tests: Floats
    spikes: Floats
    trivial: float | None
    samples_per_step: float | None
    epochs_per_step: float | None
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class WorkloadCurves:
    """Everything scored in one workload; `config` is that of one of its records."""

    workload_id: str
    dataset: str
    config: dict[str, Any]
    rules: Rules
    targets: dict[str, Any]
    other_ladders: int
    entries: tuple[EntryCurves, ...]


def of_seeds(entry: EntryCurves, wanted: range) -> EntryCurves | None:
    """Return the entry with only the seeds in `wanted`, None where it has none of them."""
    inside = (entry.seeds >= wanted.start) & (entry.seeds < wanted.stop)
    if inside.all():
        return entry
    index = np.flatnonzero(inside)
    return _taken(entry, [entry], index) if len(index) else None


def joined(parts: Sequence[EntryCurves]) -> tuple[EntryCurves, int]:
    """Return the curves of one cell's records as one, seeds ascending, and how many seeds lie twice (first counts)."""
    if len(parts) == 1:
        return parts[0], 0
    seeds, index = np.unique(np.concatenate([part.seeds for part in parts]), return_index=True)
    return _taken(parts[0], parts, index), sum(len(part.seeds) for part in parts) - len(seeds)


def counted_finals(entry: EntryCurves) -> Floats:
    """Return the final metric (n,) of every seed; one that was lost counts as the trivial predictor."""
    lost = entry.diverged | ~np.isfinite(entry.finals)
    return np.where(lost, np.nan if entry.trivial is None else entry.trivial, entry.finals)


def _taken(like: EntryCurves, parts: Sequence[EntryCurves], index: NDArray[np.intp]) -> EntryCurves:
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])[index] for name in PER_SEED
    }
    return replace(like, paths=tuple(path for part in parts for path in part.paths), **columns)
