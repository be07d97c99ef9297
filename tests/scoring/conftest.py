"""Runs on disk, written by the real writer from the times to target that a test wants to see."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnbench.records import diagnostics_file
from bnbench.records.history import History
from bnbench.records.identity import cell_id, workload_id
from bnbench.records.layout import cell_folder, record_folder
from bnbench.records.write import write_record

LADDER = {"easy": 0.8, "medium": 0.9, "hard": 0.95, "provenance": "pool"}
BEFORE, REACHED = 0.5, 0.96


def history_of(
    times: Mapping[int, float | None],
    *,
    max_steps: int,
    cadence: int,
    died: Mapping[int, int],
    levels: tuple[float, float] = (BEFORE, REACHED),
) -> History:
    """Return rows in which seed s shows the metric at `levels[1]` from step times[s] on, never where that is None."""
    grid = np.union1d(np.arange(0, max_steps, cadence), [max_steps])
    rows = [
        (seed, step, levels[1] if hit is not None and step >= hit else levels[0])
        for seed, hit in times.items()
        for step in grid
        if step == 0 or step < died.get(seed, max_steps + 1)
    ]
    seeds, steps, values = (np.array(column) for column in zip(*rows, strict=True))
    blank = np.full(len(rows), 0.1)
    return History(
        seed=seeds,
        step=steps,
        epoch=steps / 10,
        samples=steps * 32,
        train_loss=np.where(steps == 0, np.nan, 0.3),
        val_loss=blank,
        val_metric=values,
        learning_rate=blank,
    )


def write_cell(
    runs_dir: Path,
    entry: str,
    times: Sequence[float | None] | Mapping[int, float | None],
    *,
    norm: str | None = None,
    dataset: str = "digits",
    max_steps: int = 100,
    cadence: int = 10,
    died: Mapping[int, int] | None = None,
    final: float | Mapping[int, float | None] = 0.97,
    targets: Mapping[str, Any] | None = LADDER,
    metric: Mapping[str, Any] | None = None,
    experiments: Sequence[str] = (),
    track: str = "recipe",
    config: Mapping[str, Any] | None = None,
    workload: Mapping[str, Any] | None = None,
    version: int = 1,
    levels: tuple[float, float] = (BEFORE, REACHED),
    environment: Mapping[str, Any] | None = None,
    diagnostics: Sequence[tuple[int, int, str, str, float]] | None = None,
    left_out: Mapping[str, str] | None = None,
) -> Path:
    """Write one record and return its folder; `workload` overrides what the workload_id is made from.

    `diagnostics` are rows of (seed, step, layer, name, value).
    """
    by_seed = dict(times) if isinstance(times, Mapping) else dict(enumerate(times))
    died = died or {}
    metric = dict(metric or {"name": "accuracy", "direction": "max", "trivial": 0.1})
    settings = {
        "dataset": {"name": dataset},
        "optimizer": {"lr": 0.1},
        "budget": {"max_steps": max_steps, "batch_size": 32, "eval_every_steps": cadence},
        **(config or {}),
    }
    identity = {"workload": dict(workload or settings), "entry": {"text": entry, "version": version}}
    history = history_of(by_seed, max_steps=max_steps, cadence=cadence, died=died, levels=levels)
    ends = final if isinstance(final, Mapping) else dict.fromkeys(by_seed, final)
    record = {
        "schema_version": 1,
        "cell_id": cell_id(identity),
        "workload_id": workload_id(identity),
        "workload": dataset,
        "entry": entry,
        "norm": norm or entry.partition("(")[0],
        "dataset": dataset,
        "experiments": list(experiments),
        "track": track,
        "status": "finished",
        "config": settings,
        "identity": identity,
        "metric": metric,
        "targets": None if targets is None else dict(targets),
        "seeds": [
            {
                "seed": seed,
                "status": "diverged" if seed in died else "finished",
                "diverged_at_step": died.get(seed),
                "final": {
                    f"val_{metric['name']}": None if seed in died else ends.get(seed),
                    f"best_val_{metric['name']}": 0.97,
                    "best_step": 0,
                    f"test_{metric['name']}": None if seed in died else ends.get(seed),
                    "train_loss": None if seed in died else 0.1,
                },
                "spikes": 0,
                "max_loss": 2.3,
            }
            for seed in by_seed
        ],
        "rows": len(history.seed),
        "timing": {"train_seconds": 1.0, "replicas": len(by_seed), "steps": max_steps},
        "environment": dict(environment or {}),
        "error": None,
    }
    table = None
    if diagnostics is not None:
        columns = zip(("seed", "step", "layer", "name", "value"), zip(*diagnostics, strict=True), strict=True)
        table = diagnostics_file.to_table(dict(columns))
        record["diagnostics"] = {"names": ["units"], "left_out": dict(left_out or {}), "seconds": 0.1}
    cell = cell_folder(runs_dir, dataset=dataset, norm=record["norm"], cell_id=record["cell_id"])
    told = record.get("diagnostics", {"names": [], "left_out": {}})
    folder = record_folder(cell, list(by_seed), diagnostics=[*told["names"], *told["left_out"]])
    write_record(folder, record, history.to_table(metric["name"]), table)
    return folder


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def cell(runs_dir: Path) -> Callable[..., Path]:
    """Write a cell into `runs_dir`: cell(entry, times, …)."""

    def write(entry: str, times: Sequence[float | None] | Mapping[int, float | None], **options: Any) -> Path:
        return write_cell(runs_dir, entry, times, **options)

    return write
