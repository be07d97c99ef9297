"""Runs of `bnbench.train`, in this process through run_job or as a process of their own, and what they left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import numpy.typing as npt
import pytest

from bnbench.config import Config, read_config
from bnbench.records import Runs, load_records
from bnbench.train import CONF

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).parent / "serve.py"
# what makes any configuration small: a run of it takes a tenth of a second
SMALL = ("model.hidden=[8,8]", "budget.max_steps=6", "budget.eval_every_steps=3", "budget.batch_size=16", "seeds=2")
QUIET = ("logger=none", "measure_cost=false")

Histories = dict[tuple[str, int], dict[str, npt.NDArray[Any]]]


@dataclass
class Run:
    """A run of the command as a process: `wait` for its end, then read its exit code and all it said."""

    pid: int
    output: Path
    server: "Server"
    code: int | None = None

    def wait(self) -> "Run":
        if self.code is None:
            self.code = self.server.ask({"wait": self.pid})
        return self

    def alive(self) -> bool:
        """Whether the process still runs: a dead one that nobody waited for is a zombie."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @property
    def said(self) -> str:
        return self.output.read_text()


@dataclass
class Server:
    """The client of serve.py."""

    process: subprocess.Popen[str]
    folder: Path
    started: int = 0

    def ask(self, request: dict[str, Any]) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(self, *arguments: str, folder: Path, fault: tuple[Any, ...] = (), **environment: str) -> Run:
        self.started += 1
        output = self.folder / f"{self.started}.txt"
        output.touch()
        request = {"arguments": arguments, "folder": str(folder), "environment": environment, "output": str(output)}
        return Run(self.ask({**request, "fault": fault}), output, self)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    command = [sys.executable, str(SERVER)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as process:
        yield Server(process, tmp_path_factory.mktemp("output"))
        assert process.stdin is not None
        process.stdin.close()


@dataclass
class Command:
    """`python -m bnbench.train` in a folder of its own, small and without a logger unless told otherwise."""

    server: Server
    folder: Path
    defaults: tuple[str, ...] = (*SMALL, *QUIET)
    running: list[Run] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def start(self, *arguments: str, **options: Any) -> Run:
        self.running.append(self.server.start(*self.defaults, *arguments, folder=self.folder, **options))
        return self.running[-1]

    def __call__(self, *arguments: str, **options: Any) -> Run:
        return self.start(*arguments, **options).wait()


@pytest.fixture
def command(server: Server, tmp_path: Path) -> Iterator[Command]:
    command = Command(server, tmp_path)
    yield command
    for run in command.running:
        if run.code is None:
            run.send(signal.SIGKILL)
            run.wait()


def composed(*overrides: str) -> Config:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return read_config(hydra.compose("config", overrides=list(overrides)))


@pytest.fixture(scope="session")
def compose() -> Callable[..., Config]:
    """The configuration of a command line, as a run reads it."""
    return composed


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Config]:
    """The configuration of a command line, small and in a folder of its own unless told otherwise."""
    return lambda *overrides: composed(*SMALL, *QUIET, f"runs_dir={tmp_path / 'runs'}", *overrides)


def histories_of(runs: Runs) -> Histories:
    """The rows of every (cell, seed); fails where anything under the runs is not sound."""
    assert [*runs.skipped, *runs.conflicts, *runs.copies] == []
    found: Histories = {}
    for record in runs.records:
        columns = record.history()
        for seed in {entry["seed"] for entry in record.seeds}:
            rows = columns["seed"] == seed
            found[record.cell_id, seed] = {name: column[rows] for name, column in columns.items()}
    return found


@pytest.fixture(scope="session")
def histories() -> Callable[..., Histories]:
    return lambda *paths: histories_of(load_records(*paths))


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Histories, Histories], None]:
    """Fails unless both hold the same cells and seeds with bit-identical rows."""

    def check(one: Histories, other: Histories) -> None:
        assert one.keys() == other.keys()
        for key, columns in one.items():
            for name, column in columns.items():
                np.testing.assert_array_equal(column, other[key][name], err_msg=f"{key} {name}")

    return check
