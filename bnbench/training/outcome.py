"""A trajectory becomes the record of each cell that took part in it."""

import platform
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bnbench.config import Config, as_dict, budget_of
from bnbench.datasets import Task
from bnbench.records import SCHEMA_VERSION, History
from bnbench.training.cells import Cell
from bnbench.training.history import Integers, Trajectory
from bnbench.training.rank_numbers import num_ranks
from bnbench.training.recorded import describe_shape

DISTRIBUTIONS = ("bnbench", "torch", "lightning", "numpy", "scikit-learn")


def history_of(cell: Cell, task: Task, trajectory: Trajectory, members: Integers, seeds: Sequence[int]) -> History:
    """Return the rows of the given members of a trajectory, by seed and step."""
    seed_of = dict(zip(members.tolist(), seeds, strict=True))
    columns: dict[str, list[Any]] = {
        name: [] for name in ("seed", "step", "train_loss", "val_loss", "val_metric", "rate")
    }
    for observation in trajectory.observations:
        chosen = np.isin(observation.members, members)
        columns["seed"] += [seed_of[member] for member in observation.members[chosen].tolist()]
        columns["step"] += [observation.step] * int(chosen.sum())
        columns["train_loss"] += observation.train_loss[chosen].tolist()
        columns["val_loss"] += observation.val_loss[chosen].tolist()
        columns["val_metric"] += observation.val_metric[chosen].tolist()
        columns["rate"] += observation.learning_rate[chosen].tolist()
    order = np.lexsort((columns["step"], columns["seed"]))
    step = np.array(columns["step"], dtype=np.int64)[order]
    samples = step * budget_of(cell.config).batch_size
    return History(
        seed=np.array(columns["seed"], dtype=np.int64)[order],
        step=step,
        epoch=samples / len(task.train_inputs),
        samples=samples,
        train_loss=np.array(columns["train_loss"], dtype=np.float64)[order],
        val_loss=np.array(columns["val_loss"], dtype=np.float64)[order],
        val_metric=np.array(columns["val_metric"], dtype=np.float64)[order],
        learning_rate=np.array(columns["rate"], dtype=np.float64)[order],
    )


def seed_results(task: Task, trajectory: Trajectory, members: Integers, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Return how each seed ended: status, final, best and test metric, spikes."""
    results = []
    for member, seed in zip(members.tolist(), seeds, strict=True):
        step = int(trajectory.diverged_at_step[member])
        results.append(
            {
                "seed": seed,
                "status": "diverged" if step else "finished",
                "diverged_at_step": step or None,
                "final": {
                    f"val_{task.metric_name}": float(trajectory.last_metric[member]),
                    f"best_val_{task.metric_name}": float(trajectory.best_metric[member]),
                    "best_step": int(trajectory.best_step[member]),
                    f"test_{task.metric_name}": float(trajectory.test_metric[member]),
                    "train_loss": float(trajectory.last_train_loss[member]),
                },
                "spikes": int(trajectory.spikes[member]),
                "max_loss": float(trajectory.max_loss[member]),
            }
        )
    return results


def describe(cell: Cell, task: Task, *, experiments: Sequence[str], environment: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a cell's record that is known before training: what is asked, of what, on what machine."""
    return {
        "schema_version": SCHEMA_VERSION,
        "cell_id": cell.cell_id,
        "workload_id": cell.workload_id,
        "workload": task.name,
        "entry": cell.entry,
        "norm": cell.identity["entry"]["norm"],
        "dataset": task.name,
        "experiments": list(experiments),
        "track": cell.config.track,
        "config": as_dict(cell.config),
        "identity": cell.identity,
        "metric": {"name": task.metric_name, "direction": task.direction, "trivial": task.trivial},
        "targets": task.targets,
        "environment": environment | {"data_shape": describe_shape(task)},
    }


def environment(config: Config, command: str) -> dict[str, Any]:
    """Return what the numbers are made with, as training starts; nothing in it decides which cell they belong to."""
    on_gpu = config.trainer.accelerator != "cpu" and torch.cuda.is_available()
    return {
        "command": command,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "device": torch.cuda.get_device_name(0) if on_gpu else "cpu",
        "threads": config.trainer.threads,
        "ranks": num_ranks(config.trainer),
        "dataset_path": config.dataset.path,
        "commit": _commit(),
        "versions": {name: version_of(name) for name in DISTRIBUTIONS},
    }


def _commit() -> str | None:
    """Return the commit of the checkout the package runs from, if it runs from one."""
    root = Path(__file__).parents[2]
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None
    asked = subprocess.run([git, "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def version_of(distribution: str) -> str | None:
    """Return the version of an installed distribution; None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None  # run from a checkout that was not installed


@cache
def processor() -> str:
    """Return the name of this machine's processor, or nothing where the system does not tell it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
            return next(names, platform.processor())
    except OSError:
        return platform.processor()
