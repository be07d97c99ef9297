"""Jobs of several processes in a sweep: each cell once, one failure costs one job, and no process outlives its job."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnbench.records import load_records
from bnbench.training.preemption import EXIT_CODE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SPREAD = ("trainer=ddp_cpu",)
FOREVER = (*SPREAD, "norm=none", "budget.max_steps=1000000", "budget.eval_every_steps=50")
STRANGER = """
import os
import signal
import sys
import time
import torch
from torch import distributed

def spy(event, arguments):
    '''Note what a rank writes, anywhere but to the null device.'''
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        what = str(arguments[0])
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.link"):
        what = str(arguments[0])
        # a folder that is removed with all it holds is walked by descriptors, and names are relative to those
        descriptor = arguments[{"os.mkdir": 2, "os.rename": 2, "os.remove": 1, "os.link": 2}[event]]
        if descriptor != -1 and not what.startswith("/"):
            what = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), what)
    else:
        return
    if what.startswith(os.getcwd()) or not what.startswith("/"):
        os.write(log, f"{event} {what}\\n".encode())

if any("rank.py" in argument for argument in sys.argv) and os.environ.get("SPY"):
    log = os.open(os.environ["SPY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    sys.addaudithook(spy)

class Fragile(torch.nn.Module):
    '''Does nothing to its inputs, and in the fifth step something to one of the processes.'''

    def __init__(self, num_features, fault="none"):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(num_features))
        self.fault = fault
        self.calls = 0

    def forward(self, inputs):
        self.calls += 1
        if distributed.is_initialized() and distributed.get_rank() == 1 and self.calls == 5:
            if self.fault == "raises":
                raise RuntimeError("the stranger's norm broke")
            if self.fault == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "hangs":
                time.sleep(1000)
        return inputs * self.weight
"""
FAULTY = ("norm=custom", "norm.class_path=stranger:Fragile")


@pytest.fixture
def folder(command: Any) -> Path:
    """The folder of the commands, with the stranger's norm in it."""
    (command.folder / "stranger.py").write_text(STRANGER)
    here: Path = command.folder
    return here


def ranks_in(folder: Path) -> list[int]:
    """The processes of runs in this folder, by the list of all processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if "bnbench.training.rank" in (process / "cmdline").read_text() and (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return sorted(found)


def wait_until(condition: Callable[[], Any], run: Any, *, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, run.said
        time.sleep(0.1)


def wait_for_training(folder: Path, run: Any) -> list[int]:
    """Wait until the ranks train: each has the file of their meeting behind it, and processor time of its own."""

    def seconds_used(process: int) -> float:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    wait_until(lambda: len(ranks_in(folder)) == 2, run)
    ranks = ranks_in(folder)
    wait_until(lambda: "step " in run.said, run)  # the first line of progress comes after ten seconds of training
    assert all(seconds_used(rank) > 0 for rank in ranks)
    return ranks


def test_a_mixed_sweep_trains_each_cell_once_to_the_same_records(
    command: Any, folder: Path, histories: Any, tmp_path: Path
) -> None:
    spy = tmp_path / "written.txt"
    cells = (*FAULTY, "budget.batch_size=17", "model.dropout=0.1")
    run = command("-m", "trainer=ddp_cpu,cpu", *cells, SPY=str(spy))
    assert run.code == 0, run.said
    assert run.said.count("trained 2 seeds") == 1
    assert run.said.count("2 seeds already finished, nothing to train") == 1
    (record,) = load_records(command.runs).records
    assert (record.raw["environment"]["ranks"], record.config["trainer"]["name"]) == (2, "ddp_cpu")
    assert spy.read_text() == "", "a rank writes nothing: what is recorded goes through the job"
    assert ranks_in(folder) == []
    assert command(*cells, f"runs_dir={tmp_path / 'alone'}").code == 0
    one, other = histories(command.runs), histories(tmp_path / "alone")
    assert one.keys() == other.keys(), "the same cell"
    for key, columns in one.items():
        for name, column in columns.items():
            np.testing.assert_allclose(column, other[key][name], rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("raises", "RankError: rank 1 of 2: RuntimeError: the stranger's norm broke"),
        ("dies", "RankError: rank 1 of 2 was killed by SIGKILL"),
    ],
)
def test_a_rank_that_fails_in_mid_step_fails_its_job_only(command: Any, folder: Path, fault: str, message: str) -> None:
    run = command("-m", *FAULTY, *SPREAD, f"+norm.fault={fault},none")
    assert run.code == 1
    assert "Traceback" not in run.said
    assert f"failed: {message}" in run.said
    assert run.said.count("trained 2 seeds") == 1, "the sweep goes on"
    assert "1 failed:" in run.said
    (failed,) = load_records(command.runs).failed
    assert failed.raw["error"]["type"] == "RankError"
    assert message.removeprefix("RankError: ") in failed.raw["error"]["message"]
    assert ("stranger.py" in failed.raw["error"]["traceback"]) == (fault == "raises")
    assert ranks_in(folder) == []


def test_a_rank_that_hangs_fails_its_job_once_the_others_have_waited(command: Any, folder: Path) -> None:
    run = command(*FAULTY, *SPREAD, "+norm.fault=hangs", "trainer.timeout_seconds=5")
    assert run.code == 1
    assert "failed: RankError: rank 0 of 2: " in run.said
    assert "5000ms" in run.said, "Gloo's own words for the time it waited"
    assert ranks_in(folder) == []


def test_a_rank_killed_from_outside_fails_its_job_and_the_same_command_trains_it_anew(
    command: Any, folder: Path
) -> None:
    run = command.start(*FOREVER)
    os.kill(wait_for_training(folder, run)[1], signal.SIGKILL)
    assert run.wait().code == 1
    assert "was killed by SIGKILL, as the system does when memory runs out" in run.said
    assert ranks_in(folder) == []
    again = command(*SPREAD, "norm=none")
    assert (again.code, again.said.count("trained 2 seeds")) == (0, 1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ranks_end_with_the_job_that_started_them_however_it_ends(
    command: Any, folder: Path, number: signal.Signals
) -> None:
    run = command.start(*FOREVER)
    ranks = wait_for_training(folder, run)
    words = Path(f"/proc/{ranks[0]}/cmdline").read_text().split("\0")
    (meeting,) = [Path(word.partition("=")[2]) for word in words if word.startswith("--meet-at=")]
    assert meeting.parent.is_dir()
    run.send(number)
    assert run.wait().code == {signal.SIGKILL: -9, signal.SIGTERM: EXIT_CODE, signal.SIGINT: 1}[number]
    assert "Traceback" not in run.said
    wait_until(lambda: ranks_in(folder) == [], run, seconds=20)
    assert not meeting.parent.exists(), "nor does the folder in which they met stay"
    assert ("Interrupted. Finished cells are kept" in run.said) == (number == signal.SIGINT)
    assert load_records(command.runs).records == []


def test_statistics_of_each_process_by_itself_are_another_entry(command: Any) -> None:
    run = command("-m", *SPREAD, "norm=none,batch", "trainer.sync_batch_statistics=true,false", "seeds=2")
    assert run.code == 0, run.said
    records = load_records(command.runs).records
    assert sorted(record.entry for record in records) == ["batch", "batch(sync=false)", "none", "none"]
    sizes = {record.entry: record.identity["workload"]["trainer"].get("world_size") for record in records}
    assert (sizes["batch"], sizes["batch(sync=false)"]) == (None, 2)
    assert "batch(sync=false)" in run.said
    assert "world_size=2" in run.said


def test_more_devices_than_rows_are_refused_in_one_line(command: Any) -> None:
    run = command(*SPREAD, "budget.batch_size=3", "trainer.devices=4")
    assert run.code == 1
    assert "trainer.devices=4: budget.batch_size=3 leaves some without a row, expected 4 at least" in run.said
    run = command(*SPREAD, "budget.batch_size=3", "trainer.sync_batch_statistics=false")
    assert run.code == 1
    assert "one of them has 1 row(s); norm 'batch' takes statistics over the batch and needs 2 there" in run.said


def test_a_ladder_of_targets_is_measured_by_the_ranks_too(command: Any) -> None:
    run = command(*SPREAD, "dataset.targets=null", "norm=batch")
    assert run.code == 0, run.said
    (ladder,) = (command.runs / "targets").glob("*.json")
    assert json.loads(ladder.read_text())["metric"]


def test_two_nodes_are_led_by_the_first_process_and_train_the_same_cell(
    command: Any, folder: Path, histories: Any, tmp_path: Path
) -> None:
    """Two launchers, each of one node, on the loopback interface: what would be started on every node of a cluster."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sweep = ("-m", "norm=batch,none", "trainer=ddp_cpu", "trainer.devices=1", "trainer.num_nodes=2")
    launcher = ("--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}")
    task = ("-m", "bnbench.train", *command.defaults, *sweep)
    nodes = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *launcher, f"--node-rank={node}", *task],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
        )
        for node in (0, 1)
    ]
    said = [node.communicate(timeout=200)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert [text.count("trained 2 seeds") for text in said] == [2, 0]
    assert command("-m", "norm=batch,none", f"runs_dir={tmp_path / 'alone'}").code == 0
    one, other = histories(command.runs), histories(tmp_path / "alone")
    assert one.keys() == other.keys()
    for key, columns in one.items():
        np.testing.assert_allclose(columns["val_loss"], other[key]["val_loss"], rtol=0, atol=1e-5)


def test_nodes_without_a_launcher_are_refused_with_the_command(command: Any) -> None:
    run = command(*SPREAD, "trainer.num_nodes=2")
    assert run.code == 1
    assert "torchrun --nnodes=2 --nproc-per-node=2 --node-rank=" in run.said
