"""The processes of one job that trains on several devices: started for it, watched, and gone with it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, Protocol

from bnbench.config import Config, TrainerConfig
from bnbench.datasets import Task
from bnbench.errors import UserError
from bnbench.norms import ChosenNorm
from bnbench.training import preemption
from bnbench.training.checkpoint import Checkpoint
from bnbench.training.evaluator import Observer
from bnbench.training.fit import Member, fit
from bnbench.training.history import Trajectory
from bnbench.training.messages import LEAVE, read_ending, read_observation, request
from bnbench.training.nodes import Leader
from bnbench.training.rank_numbers import launched, num_ranks, uses_gpus

# of a rank that reports an error: so long, another may turn out to have died, and to be why
SECONDS_TO_FIND_THE_CAUSE = 2.0
SECONDS_TO_LEAVE = 10.0
# whether this process was asked to leave is looked at so often while it waits for reports
SECONDS_BETWEEN_LOOKS = 0.2
LINES_OF_STDERR = 20


class RankError(Exception):
    """A process of a run that is spread over several failed, and with it the run."""


class Fit(Protocol):
    """What trains one batch of replicas, in this process or in others; as `fit`."""

    def __call__(
        self,
        config: Config,
        task: Task,
        norm: ChosenNorm,
        members: Sequence[Member],
        *,
        stacked: bool,
        observers: Sequence[Observer] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Trajectory:
        """Return the trajectory of the members."""


@contextmanager
def training_for(config: Config) -> Iterator[Fit]:
    """Yield what trains the replicas of a job: this process, or as many as its trainer asks for."""
    if num_ranks(config.trainer) == 1:
        yield fit
        return
    if launched().size > 1:
        yield Leader.fit
        return
    ranks = Ranks(config.trainer)
    try:
        yield ranks.fit
    finally:
        ranks.end()


@dataclass
class Ranks:
    """The ranks of one job, each a process in a session of its own; started when something is to be trained.

    One that fails or dies takes the others with it: `fit` raises RankError, or the UserError it came upon. They end
    when this process does, even if it is killed: their stdin ends then.
    """

    trainer: TrainerConfig
    _processes: list["subprocess.Popen[str]"] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)
    _reports: "SimpleQueue[tuple[int, dict[str, Any] | None]]" = field(default_factory=SimpleQueue)
    _folder: Path | None = None

    def fit(
        self,
        config: Config,
        task: Task,
        norm: ChosenNorm,
        members: Sequence[Member],
        *,
        stacked: bool,
        observers: Sequence[Observer] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Trajectory:
        """Train the members on all ranks; the observers are told here, as they would be of training in one process.

        Once this process is asked to leave, the ranks are: they leave together at the next evaluation, the first
        writes the checkpoint, and Preempted is raised here.
        """
        if not self._processes:
            self._start()
        self._tell(request(config, members, checksum=task.checksum, stacked=stacked, checkpoint=checkpoint))
        trajectory = Trajectory(len(members), maximise=task.direction == "max")
        still_training = set(range(len(self._processes)))
        is_left = is_told = False
        while still_training:
            if preemption.asked() and not is_told:
                is_told = True
                self._tell(LEAVE)
            try:
                rank, report = self._reports.get(timeout=SECONDS_BETWEEN_LOOKS)
            except Empty:
                continue
            match report:
                case {"observation": told}:
                    observation = read_observation(told)
                    trajectory.add(observation)
                    for observer in observers:
                        observer.observe(observation, trajectory)
                case {"ended": told}:
                    still_training.remove(rank)
                    if rank == 0:
                        read_ending(told, trajectory)
                case {"left": _}:
                    still_training.remove(rank)
                    is_left = True
                case _:
                    self._raise_cause((rank, report))
        if is_left:
            raise preemption.Preempted
        return trajectory

    def _tell(self, line: str) -> None:
        for rank, process in enumerate(self._processes):
            _write(process, line, or_else=lambda rank=rank: self._raise_cause((rank, None)))

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bnbench-ranks-"))
        size = num_ranks(self.trainer)
        # the ranks are to find what this process finds: norms and models beside a script, plug-ins of an environment
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109  # a text, as those are
        environment = {**os.environ, "PYTHONPATH": path, **_loopback_only()}
        for rank in range(size):
            command = [sys.executable, "-m", "bnbench.training.rank", f"--rank={rank}", f"--size={size}"]
            command += [f"--meet-at={self._folder / 'meeting'}", f"--timeout-seconds={self.trainer.timeout_seconds}"]
            command += ["--gpus"] if uses_gpus(self.trainer) else []
            with self._stderr_of(rank).open("w") as stderr, preemption.held_back():
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    encoding="utf-8",
                    env=environment,
                    start_new_session=True,
                )
            self._processes.append(process)
            assert process.stdout is not None
            reader = threading.Thread(target=_read, args=(rank, process.stdout, self._reports), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _stderr_of(self, rank: int) -> Path:
        assert self._folder is not None
        return self._folder / f"rank-{rank}.txt"

    def _raise_cause(self, first: tuple[int, dict[str, Any] | None]) -> None:
        """Raise what went wrong; a rank that died comes first, since the others then fail in an exchange with it."""
        found = [first]
        until = time.monotonic() + SECONDS_TO_FIND_THE_CAUSE
        while (left := until - time.monotonic()) > 0 and not self._died(found):
            try:
                found.append(self._reports.get(timeout=left))
            except Empty:
                break
        size = len(self._processes)
        for rank in self._died(found):
            error = RankError(f"rank {rank} of {size} {_how_it_ended(self._processes[rank])}")
            said = self._stderr_of(rank).read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_OF_STDERR:]
            error.add_note("\n".join([f"the last lines of its stderr ({len(said)}):", *said]))
            raise error
        rank, report = next((rank, report["error"]) for rank, report in found if report and "error" in report)
        if report["type"] == UserError.__name__:
            raise UserError(report["message"])
        error = RankError(f"rank {rank} of {size}: {report['type']}: {report['message']}")
        error.add_note(report["traceback"])
        raise error

    def _died(self, found: Sequence[tuple[int, dict[str, Any] | None]]) -> list[int]:
        """Return the ranks that ended without a word."""
        told = {rank for rank, report in found if report and "error" in report}
        return [rank for rank, report in found if report is None and rank not in told]

    def end(self) -> None:
        """End all ranks: those that wait for a request by themselves, others by force."""
        for process in self._processes:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # it is dead already
                process.stdin.close()
        until = time.monotonic() + SECONDS_TO_LEAVE
        for process in self._processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for reader in self._readers:
            reader.join()
        self._processes, self._readers = [], []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _write(process: "subprocess.Popen[str]", line: str, *, or_else: Any) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        or_else()


def _read(rank: int, stdout: IO[str], reports: "SimpleQueue[tuple[int, dict[str, Any] | None]]") -> None:
    with stdout, suppress(json.JSONDecodeError):  # it may be killed in the middle of a line, which is its last
        for line in stdout:
            reports.put((rank, json.loads(line)))
    reports.put((rank, None))


def _how_it_ended(process: "subprocess.Popen[str]") -> str:
    code = process.wait()
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"was killed by {name}{memory}"


def _loopback_only() -> dict[str, str]:
    """Return what has ranks of one machine talk over its loopback interface, where nobody else listens."""
    loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    return {} if loopback is None else {"GLOO_SOCKET_IFNAME": loopback}
