"""Records to break: a sound run.json and history for any seeds, as training would write them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bnbench.records import History, begin_record, cell_folder, cell_id, record_folder, workload_id, write_record

STEPS = (0, 10, 20)


def make_table(
    seeds: Sequence[int], *, steps: Sequence[int] = STEPS, metric: str = "accuracy", offset: float = 0.0
) -> pa.Table:
    """Rows for every (seed, step); equal arguments give equal rows, ``offset`` gives other results."""
    seed = np.repeat(np.array(seeds, dtype=np.int64), len(steps))
    step = np.tile(np.array(steps, dtype=np.int64), len(seeds))
    return History(
        seed=seed,
        step=step,
        epoch=step / 20,
        samples=step * 64,
        train_loss=np.where(step == 0, np.nan, 2.0 / (1 + step)),
        val_loss=2.0 / (1 + step) + offset,
        val_metric=1 - 1 / (1 + step),
        learning_rate=np.full(len(step), 0.1),
    ).to_table(metric)


def make_raw(
    seeds: Sequence[int], *, status: str = "finished", options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The run.json of a cell, which ``options`` of the norm decide, and of these seeds."""
    identity = {
        "workload": {"dataset": {"name": "digits"}, "optimizer": {"name": "sgd", "lr": 0.1}, "engine_version": 1},
        "entry": {"norm": "batch", "options": options or {}},
    }
    failed = status == "failed"
    final = {"val_accuracy": 0.95, "best_val_accuracy": 0.95, "best_step": 20, "test_accuracy": 0.9, "train_loss": 0.1}
    outcome = {"status": "finished", "diverged_at_step": None, "final": final, "spikes": 0, "max_loss": 2.0}
    return {
        "schema_version": 1,
        "cell_id": cell_id(identity),
        "workload_id": workload_id(identity),
        "workload": "digits",
        "entry": "batch",
        "norm": "batch",
        "dataset": "digits",
        "experiments": ["quickstart"],
        "track": "recipe",
        "status": status,
        "config": {"budget": {"max_steps": 20, "batch_size": 64, "eval_every_steps": 10}},
        "identity": identity,
        "metric": {"name": "accuracy", "direction": "max", "trivial": 0.1},
        "targets": {"easy": 0.8, "medium": 0.9, "hard": 0.95, "provenance": "frozen"},
        "seeds": [
            {"seed": seed, **({"status": "failed"} if failed else outcome | {"final": dict(final)})} for seed in seeds
        ],
        "rows": 0 if failed else len(seeds) * len(STEPS),
        "timing": {"train_seconds": 1.5, "replicas": len(seeds), "steps": 20},
        "environment": {"python": "3.11"},
        "error": {"type": "ValueError", "message": "boom", "traceback": "Traceback ..."} if failed else None,
    }


@pytest.fixture
def raw() -> Callable[..., dict[str, Any]]:
    return make_raw


@pytest.fixture
def table() -> Callable[..., pa.Table]:
    return make_table


@pytest.fixture
def place() -> Callable[[Path, dict[str, Any]], Path]:
    """Return the folder where a record belongs."""

    def place(runs_dir: Path, raw: dict[str, Any]) -> Path:
        cell = cell_folder(runs_dir, dataset=raw["dataset"], norm=raw["norm"], cell_id=raw["cell_id"])
        return record_folder(cell, [entry["seed"] for entry in raw["seeds"]])

    return place


@pytest.fixture
def write(place: Callable[[Path, dict[str, Any]], Path]) -> Callable[..., Path]:
    """Write a sound record below a runs folder and return its folder."""

    def write(
        runs_dir: Path, seeds: Sequence[int] = (0, 1), *, options: dict[str, Any] | None = None, offset: float = 0.0
    ) -> Path:
        raw = make_raw(seeds, options=options)
        folder = place(runs_dir, raw)
        begin_record(folder)
        write_record(folder, raw, make_table(seeds, offset=offset))
        return folder

    return write
