"""Run one job over and over, each time in a fork that kills itself (SIGKILL) one point later, then run it once more.

    python kill_job.py RUNS OVERRIDE...

For every point a fork runs the job in RUNS/<n> until it dies there, and a second one runs the same job to its end. One
line per point is printed: its name, and how many seeds the second fork still had to train. Points are the calls that
change the disk, just before they happen (Python's audit events), each file with only half of its content written, and
every evaluation. The last line is that of a job which was not killed.
"""

import os
import re
import signal
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import torch

from bnbench.config import Config, read_config
from bnbench.train import CONF
from bnbench.training import evaluator
from bnbench.training.job import run_job

CHANGES_DISK = {"os.mkdir", "open", "os.rename", "os.remove", "os.link", "os.rmdir"}
RANDOM_PART = re.compile(r"[.]\d+-[0-9a-f]+[.]tmp$")


def die_at(last: int, *, runs_dir: Path, report: int) -> None:
    """Arm this process to report the name of its point number `last` and die there."""
    reached = 0

    def point(name: str) -> None:
        nonlocal reached
        reached += 1
        if reached > last:
            os.write(report, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES_DISK or not str(arguments[0]).startswith(str(runs_dir)):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        point(f"{event.removeprefix('os.')} {RANDOM_PART.sub('.tmp', Path(str(arguments[0])).name)}")

    def half_written(descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            if reached == last:
                os.ftruncate(descriptor, status.st_size // 2)
            point("half a file")

    observe = evaluator.Evaluator._observe

    def observed(self: evaluator.Evaluator, module: Any, *, step: int, train_loss: Any) -> None:
        observe(self, module, step=step, train_loss=train_loss)
        point(f"evaluation at step {step}")

    sys.addaudithook(watch)
    os.fsync = half_written  # type: ignore[assignment]
    evaluator.Evaluator._observe = observed  # type: ignore[method-assign]


def forked(work: Callable[[int], str]) -> tuple[str, bool]:
    """Return what `work` said in a fork, through the pipe it is given or at its end, and whether it was killed."""
    receive, report = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.write(report, work(report).encode())
        finally:
            os._exit(0)
    os.close(report)
    with os.fdopen(receive) as pipe:
        said = pipe.read()
    _, status = os.waitpid(process, 0)
    return said, os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def main(runs: str, *overrides: str) -> None:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = read_config(hydra.compose("config", overrides=list(overrides)))
    torch.set_num_threads(1)
    killed = True
    number = 0
    while killed:
        here = replace(config, runs_dir=str(Path(runs) / str(number)))

        def until_point(report: int, config: Config = here, number: int = number) -> str:
            die_at(number, runs_dir=Path(config.runs_dir), report=report)
            return "done" if trained(config) else "nothing was trained"

        point, killed = forked(until_point)
        again, _ = forked(lambda _, config=here: str(trained(config)))  # type: ignore[misc]
        sys.stdout.write(f"{point}\t{again}\n")
        sys.stdout.flush()
        number += 1


def trained(config: Config) -> int:
    """Run the job and return how many (cell, seed) it trained; errors count as a hundred."""
    cells = run_job(config, experiments=["killed"])
    return sum(len(cell.trained) + 100 * (cell.error is not None or cell.elsewhere is not None) for cell in cells)


if __name__ == "__main__":
    main(*sys.argv[1:])
