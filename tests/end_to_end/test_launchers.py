"""Sweeps whose jobs run in workers: the records are those of one process, also where workers are killed."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ray_cluster import Cluster
from bnbench.records import holder, load_records

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL = (
    *("model.hidden=[8,8]", "budget.max_steps=6", "budget.eval_every_steps=3", "budget.batch_size=16", "seeds=2"),
    *("logger=none", "measure_cost=false"),
)
SWEEP = ("-m", "norm=none,batch,rms")
LONG = (*SWEEP, "seeds=3", "budget.max_steps=1500", "budget.eval_every_steps=50")
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
LOCAL = ("hydra/launcher=submitit_local",)
RAY = ("hydra/launcher=ray",)
ONCE = (*RAY, "+hydra.launcher.ray.remote.max_retries=0")
START_SECONDS = 60
MINE = """
import os
from pathlib import Path

import torch


class Mine(torch.nn.Identity):
    def __init__(self, num_features):
        super().__init__()
        Path("gpus").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a sweep with the launcher of the test."""
    if "hydra/launcher=ray" in request.getfixturevalue("launcher"):
        found: dict[str, str] = request.getfixturevalue("cluster").environment
        return found
    return {}


@pytest.fixture(scope="module")
def undisturbed(server: Any, tmp_path_factory: pytest.TempPathFactory, histories: Any) -> Callable[..., Any]:
    """The histories of a sweep in one process, trained once."""
    known: dict[tuple[str, ...], Any] = {}

    def train(*arguments: str) -> Any:
        if arguments not in known:
            folder = tmp_path_factory.mktemp("undisturbed")
            run = server.start(*SMALL, *arguments, folder=folder).wait()
            assert run.code == 0, run.said
            known[arguments] = histories(folder / "runs")
        return known[arguments]

    return train


def trained(said: str) -> list[str]:
    """The norms that were said to be trained, in order."""
    return sorted(re.findall(r"^digits · (\w+): trained", said, flags=re.MULTILINE))


def lost(said: str) -> list[str]:
    """The norms of the jobs that were said to be lost."""
    return sorted(re.findall(r"^    again: python -m bnbench.train .* norm=(\w+)$", said, flags=re.MULTILINE))


@pytest.mark.parametrize("launcher", [JOBLIB, LOCAL, RAY], ids=["joblib", "submitit_local", "ray"])
def test_a_launcher_leaves_the_records_of_one_process_and_one_board(
    launcher: tuple[str, ...],
    environment: dict[str, str],
    command: Any,
    undisturbed: Any,
    histories: Any,
    assert_same: Any,
) -> None:
    run = command(*SWEEP, *launcher, **environment)
    assert run.code == 0, run.said
    assert trained(run.said) == ["batch", "none", "rms"]
    assert run.said.count("rank entry") == 1
    assert run.said.count("1,797 rows, 64 columns of numbers") == 1
    assert "Traceback" not in run.said
    assert "warning" not in run.said
    assert not (command.runs / ".submitit").exists()
    assert_same(histories(command.runs), undisturbed(*SWEEP))


def test_what_workers_refuse_is_counted_and_the_rest_is_trained(command: Any) -> None:
    run = command("-m", "model.dropout=0.0,2.0", *JOBLIB)
    assert run.code == 1
    assert len(load_records(command.runs).records) == 1
    assert "1 failed:\n" in run.said
    assert re.search(r"again: python -m bnbench.train .* model.dropout=2.0", run.said), run.said
    assert "left no word" not in run.said
    assert "Traceback" not in run.said


def test_a_launcher_that_is_not_installed_is_told_with_what_to_install(command: Any) -> None:
    run = command(*SWEEP, *RAY, fault=("without launcher", "ray"))
    assert run.code == 1
    assert run.said == "hydra/launcher=ray needs packages that are not installed: pip install 'bnbench[ray]'\n"


def wait_for_cell(run: Any, runs: Path) -> int:
    """The process that holds a cell and trains it, which its lock names, as soon as there is one."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        for lock in runs.glob(".locks/*.lock"):
            for folder in runs.glob(f"*-{lock.stem}/seeds-*"):
                found = re.match(r"process (\d+) on host", holder(folder.parent))
                if found and not (folder / "run.json").exists():
                    return int(found[1])
        assert run.alive(), run.said
        time.sleep(0.02)
    pytest.fail(f"no worker began: {run.said}")


@pytest.mark.parametrize("launcher", [JOBLIB, LOCAL, ONCE], ids=["joblib", "submitit_local", "ray"])
def test_a_killed_worker_is_told_with_what_is_missing_and_the_same_command_ends_the_sweep(
    launcher: tuple[str, ...],
    environment: dict[str, str],
    command: Any,
    undisturbed: Any,
    histories: Any,
    assert_same: Any,
) -> None:
    run = command.start(*LONG, *launcher, **environment)
    worker = wait_for_cell(run, command.runs)
    assert worker != run.pid
    os.kill(worker, signal.SIGKILL)
    assert run.wait().code == 1, run.said
    assert "the launcher broke down: " in run.said
    assert f"{len(lost(run.said))} failed:\n" in run.said
    assert "trained by the same command:\n  python -m bnbench.train -m " in run.said
    assert "Traceback" not in run.said
    again = command(*LONG, *launcher, **environment)
    assert again.code == 0, again.said
    if launcher != LOCAL:  # whose other jobs go on meanwhile
        assert trained(again.said) == lost(run.said)
    assert_same(histories(command.runs), undisturbed(*LONG))


def test_a_sweep_that_is_asked_twice_to_leave_takes_its_workers_along(
    command: Any, undisturbed: Any, histories: Any, assert_same: Any
) -> None:
    run = command.start(*LONG, *JOBLIB)
    worker = wait_for_cell(run, command.runs)
    run.send(signal.SIGTERM)
    time.sleep(0.2)  # one that comes with the first is the first
    run.send(signal.SIGTERM)
    assert run.wait().code == 75, run.said
    assert not Path(f"/proc/{worker}").exists()
    assert "Traceback" not in run.said
    again = command(*LONG, *JOBLIB)
    assert again.code == 0, again.said
    assert_same(histories(command.runs), undisturbed(*LONG))


def test_a_job_on_ray_sees_its_gpus_and_the_norm_of_the_user(cluster: Cluster, command: Any) -> None:
    (command.folder / "mine.py").write_text(MINE)
    own = ("norm=custom", "norm.class_path=mine:Mine", "+hydra.launcher.ray.remote.num_gpus=1")
    run = command("-m", *RAY, *own, **cluster.environment)
    assert run.code == 0, run.said
    assert (command.folder / "gpus").read_text() == "0"


@pytest.mark.parametrize("gone", ["worker", "node"])
def test_ray_runs_the_cells_of_a_killed_worker_or_node_again(
    gone: str, cluster: Cluster, command: Any, undisturbed: Any, histories: Any, assert_same: Any
) -> None:
    run = command.start(*LONG, *RAY, **cluster.environment)
    worker = wait_for_cell(run, command.runs)
    if gone == "worker":
        os.kill(worker, signal.SIGKILL)
    else:
        cluster.kill(cluster.nodes.pop())
    assert run.wait().code == 0, run.said
    assert_same(histories(command.runs), undisturbed(*LONG))
