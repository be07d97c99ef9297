"""One of the processes a run is spread over: `python -m bnbench.training.rank`, started by `ranks.py` and nobody else.

Requests come as lines on stdin, reports go as lines to what was stdout. It writes no file, and it ends with its stdin:
so does the job that started it, however that went.
"""

import argparse
import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

import torch
from torch import distributed

from bnbench.datasets import load
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.training import preemption
from bnbench.training.evaluator import Observer
from bnbench.training.fit import fit
from bnbench.training.group import Group
from bnbench.training.history import Observation, Trajectory
from bnbench.training.messages import ending_told, observation_told, read_checkpoint, read_request
from bnbench.training.rank_numbers import statistics_are_local


class Reports:
    """Where reports go. Nothing else may: what libraries print on stdout goes to stderr from now on."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def tell(self, **report: Any) -> None:
        """Send one report."""
        self._stream.write(json.dumps(report) + "\n")
        self._stream.flush()

    def observe(self, observation: Observation, trajectory: Trajectory) -> None:
        """Report one evaluation."""
        self.tell(observation=observation_told(observation))


def requests(folder: Path) -> "SimpleQueue[dict[str, Any]]":
    """Return what is asked, read by a thread that ends this process, whatever it does, once nobody can ask any more.

    The folder of the job's ranks goes with it: the job may have been killed.
    """
    asked: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            told = json.loads(line)
            if "leave" in told:
                preemption.ask("its job")
            else:
                asked.put(told)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return asked


def join(arguments: argparse.Namespace) -> torch.device:
    """Meet the other ranks at the file that is named; return the device of this one."""
    device = torch.device("cuda", arguments.rank) if arguments.gpus else torch.device("cpu")
    if arguments.gpus:
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if arguments.gpus else "gloo",
        init_method=f"file://{arguments.meet_at}",
        rank=arguments.rank,
        world_size=arguments.size,
        timeout=timedelta(seconds=arguments.timeout_seconds),
    )
    return device


def take_part(
    asked: dict[str, Any], observers: Sequence[Observer], *, rank: int, size: int, device: torch.device
) -> Trajectory:
    """Train one batch of replicas together with the other ranks; the first evaluates and has the trajectory."""
    config, members, checksum, stacked = read_request(asked)
    task = load(config.dataset)
    if task.checksum != checksum:
        raise UserError(f"the data of '{task.name}' are not what they were when the job began")
    return fit(
        config,
        task,
        choose_norm(config.norm),
        members,
        stacked=stacked,
        observers=observers,
        checkpoint=read_checkpoint(asked),
        group=Group(rank, size, device, local_statistics=statistics_are_local(config.trainer)),
    )


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what this rank is told of its group."""
    parser = argparse.ArgumentParser(prog="bnbench.training.rank")
    for name in ("--rank", "--size"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--meet-at", required=True)
    parser.add_argument("--timeout-seconds", type=float, required=True)
    parser.add_argument("--gpus", action="store_true")
    return parser.parse_args(arguments)


def main() -> NoReturn:
    """Serve requests until there can be none; an error is reported, and the job then ends all ranks."""
    reports = Reports()
    preemption.leave_to_others()
    arguments = read_arguments(sys.argv[1:])
    asked = requests(Path(arguments.meet_at).parent)
    try:
        device = join(arguments)
        while True:
            observers = [reports] if arguments.rank == 0 else []
            try:
                trajectory = take_part(asked.get(), observers, rank=arguments.rank, size=arguments.size, device=device)
                reports.tell(ended=ending_told(trajectory))
            except preemption.Preempted:
                reports.tell(left=True)
    except BaseException as error:
        reports.tell(error={"type": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()})
    # not by the interpreter's own end, which waits for threads and collectives that wait for others
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
