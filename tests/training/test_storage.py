"""Rows in a file or on the host train as rows in memory, bit for bit; a file that changes meanwhile ends the job."""

import os
import resource
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bnbench.config import Config
from bnbench.datasets import DatasetConfig, Task, load, mapped
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.training import fit as fit_module
from bnbench.training.fit import Member, fit
from bnbench.training.history import Trajectory
from bnbench.training.job import run_job
from bnbench.training.module import ReplicaTraining
from bnbench.training.task_tensors import TaskTensors

ROWS, FEATURES = 500, 12


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "BLOCK_BYTES", 1000)


def write(path: Path, dtype: str, *, rows: int = ROWS, features: int = FEATURES) -> Path:
    stream = np.random.default_rng(0)
    inputs = stream.normal(size=(rows, features)) * np.linspace(0.1, 3, features) + 2
    labels = (inputs @ stream.normal(size=(features, 3))).argmax(1)
    np.savez(path, X=inputs.astype(dtype), y=labels)
    return path


def read(path: Path, *, storage: str, preprocessing: str = "standardize") -> Task:
    return load(DatasetConfig(name="big", source="file", preprocessing=preprocessing, path=str(path), storage=storage))


def trained(config: Config, task: Task, seeds: Sequence[int] = (0, 3)) -> Trajectory:
    members = [Member(seed, config.optimizer.lr) for seed in seeds]
    return fit(config, task, choose_norm(config.norm), members, stacked=True)


def assert_same(one: Trajectory, other: Trajectory) -> None:
    assert len(one.observations) == len(other.observations) > 2
    for ours, theirs in zip(one.observations, other.observations, strict=True):
        for name in ("train_loss", "val_loss", "val_metric"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name), equal_nan=True)
    assert np.array_equal(one.test_metric, other.test_metric)


@pytest.mark.parametrize("preprocessing", ["none", "center", "standardize"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_history_of_rows_in_a_file_is_that_of_rows_in_memory(
    tmp_path: Path, configure: Callable[..., Config], dtype: str, preprocessing: str
) -> None:
    path = write(tmp_path / "big.npz", dtype)
    config = configure("batch", budget__max_steps=40, budget__eval_every_steps=8)
    memory, in_file = (
        trained(config, read(path, storage=storage, preprocessing=preprocessing)) for storage in ("memory", "mapped")
    )
    assert_same(memory, in_file)


@pytest.mark.parametrize("precision", ["32", "64"])
@pytest.mark.parametrize("storage", ["memory", "mapped"])
def test_rows_that_stay_on_the_host_train_alike(
    tmp_path: Path,
    configure: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
    storage: str,
    precision: str,
) -> None:
    """As they do where a GPU has no room for them; replicas leave the stack on the way."""
    path = write(tmp_path / "big.npz", "f4")
    config = configure("batch", budget__max_steps=20, budget__eval_every_steps=4, trainer__precision=precision)
    here = trained(config, read(path, storage="memory"))
    monkeypatch.setattr(fit_module, "inputs_fit_on_device", lambda config, task: False)
    assert_same(here, trained(config, read(path, storage=storage)))


def test_replicas_share_one_copy_of_the_data(task_of: Callable[..., Task]) -> None:
    """Every part is the task's own memory, however many replicas cut from it."""
    task = task_of()
    data = TaskTensors(task)
    for name, tensor in data.named_buffers():
        assert tensor.data_ptr() == getattr(task, name).data_ptr()
    inputs, labels = data.cut(torch.zeros(64, 7, dtype=torch.int64))
    assert (inputs.shape, labels.shape) == ((64, 7, 12), (64, 7))


def test_row_numbers_stay_on_the_cpu_where_the_rows_are(tmp_path: Path, task_of: Callable[..., Task]) -> None:
    data = TaskTensors(read(write(tmp_path / "big.npz", "f4"), storage="mapped"))
    assert data.inputs_on_host
    inputs, labels = data.to("meta").cut(torch.zeros(2, 3, dtype=torch.int64))
    assert (inputs.device.type, labels.device.type) == ("meta", "meta")
    rows = torch.zeros(2, 3, dtype=torch.int64)
    for found, device in ((data, "cpu"), (TaskTensors(task_of()), "meta")):
        moved = ReplicaTraining.transfer_batch_to_device(Namespace(data=found), rows, torch.device("meta"), 0)
        assert moved.device.type == device


@pytest.mark.parametrize("storage", ["memory", "mapped"])
def test_storage_decides_nothing_of_a_cell(tmp_path: Path, configure: Callable[..., Config], storage: str) -> None:
    """What is trained in memory is not trained again from the file, nor the other way round."""
    path = write(tmp_path / "big.npz", "f4")
    config = replace(configure(), seeds=[0, 1], runs_dir=str(tmp_path / "runs"))
    reports = []
    for each in (storage, "mapped", "memory"):
        dataset = DatasetConfig(name="big", source="file", preprocessing="center", path=str(path), storage=each)
        (report,) = run_job(replace(config, dataset=dataset))
        reports.append(report)
    assert [report.trained for report in reports] == [[0, 1], [], []]
    assert len({report.cell_id for report in reports}) == 1


@pytest.mark.parametrize("change", ["shrinks", "is-written"])
def test_file_that_changes_while_it_is_trained_on_leaves_no_record(
    tmp_path: Path, configure: Callable[..., Config], change: str
) -> None:
    path = write(tmp_path / "big.npz", "f4")
    dataset = DatasetConfig(name="big", source="file", preprocessing="none", path=str(path), storage="mapped")
    config = replace(configure(budget__max_steps=30), dataset=dataset, runs_dir=str(tmp_path / "runs"))

    class Vandal:
        def observe(self, observation: Any, trajectory: Any) -> None:
            if observation.step == 30:  # the last evaluation: only the test part is still to be read
                if change == "shrinks":
                    os.truncate(path, 200)
                else:
                    os.utime(path)

        def close(self, records: Sequence[Any]) -> None:
            assert not records

    with pytest.raises(UserError, match=r"big\.npz was changed while it was in use"):
        run_job(config, observe=lambda parts, task: [Vandal()])
    assert not list((tmp_path / "runs").rglob("run.json"))


def test_change_after_the_last_row_was_read_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "big.npz", "f4")
    data = TaskTensors(read(path, storage="mapped"))
    data.check_unchanged()
    os.utime(path)
    with pytest.raises(UserError, match="was changed while it was in use"):
        data.check_unchanged()


LARGE = """
import json, sys
from bnbench.config import *
from bnbench.datasets import DatasetConfig, load
from bnbench.norms import choose_norm
from bnbench.training.fit import Member, fit
path, storage, preprocessing = sys.argv[1:]
task = load(DatasetConfig(name="big", source="file", preprocessing=preprocessing, path=path, storage=storage))
config = Config(
    dataset=DatasetConfig("big", "file", preprocessing), norm={"name": "batch"}, logger=LoggerConfig(name="none"),
    model=ModelConfig(name="mlp", hidden=[32]), optimizer=OptimizerConfig(name="sgd", lr=0.1),
    schedule=ScheduleConfig(name="constant"), trainer=TrainerConfig(name="cpu", threads=1),
    budget=BudgetConfig(max_steps=20, batch_size=60, eval_every_steps=10),
)
run = fit(config, task, choose_norm(config.norm), [Member(seed, 0.1) for seed in range(8)], stacked=True)
print(json.dumps({
    "checksum": task.checksum,
    "losses": [row.val_loss.tolist() for row in run.observations],
    "test": run.test_metric.tolist(),
    "where": type(task.train_inputs).__name__,
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("preprocessing", ["none", "center", "standardize"])
def test_file_larger_than_the_memory_allowed_trains_to_the_same_numbers(tmp_path: Path, preprocessing: str) -> None:
    """400,000 × 100 in float64 are 320 MB, of which nothing may be copied: the limit leaves 250 MB for everything that
    is no file."""
    path = write(tmp_path / "big.npz", "f8", rows=400_000, features=100)
    limit = baseline_bytes() + 250 * 2**20

    def run(storage: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", LARGE, str(path), storage, preprocessing],
            env={**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    free, within = run("memory"), run("mapped", preexec_fn=limited)
    assert within.returncode == 0, within.stderr[-2000:]
    assert '"where": "MappedRows"' in within.stdout
    assert within.stdout.replace("MappedRows", "Tensor") == free.stdout
    assert run("memory", preexec_fn=limited).returncode != 0, "the limit limits nothing"


def baseline_bytes() -> int:
    """Return the private memory of a process that has imported everything and done nothing."""
    program = LARGE.split("path, storage")[0] + "print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    (line,) = [line for line in status.stdout.splitlines() if line.startswith("VmData:")]
    return int(line.split()[1]) * 1024
