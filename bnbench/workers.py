"""A worker of a sweep: a process that a launcher started, on this machine or another, for jobs of another process."""

import os
import socket
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from bnbench.errors import UserError

# Environment of a sweep, and from the third on what its workers are told.
SWEEP = "BNBENCH_SWEEP"
SCRATCH = "BNBENCH_SCRATCH"
PARENT = "BNBENCH_PARENT"
FOLDER = "BNBENCH_FOLDER"
THREADS = "BNBENCH_THREADS"
GPUS = "BNBENCH_GPUS"

SECONDS_FOR_A_GPU = 60.0


def this_process() -> str:
    """Return host and number of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_worker() -> bool:
    """Return whether this process works for a sweep that another one runs."""
    return os.environ.get(PARENT, this_process()) != this_process()


def begin_job(composed: DictConfig) -> None:
    """Have a worker stand where its parent does, with GPUs and threads of its own. Does nothing in the parent.

    Raises UserError where the parent's folder is not on this machine.
    """
    if not is_worker():
        return
    if not HELD:
        _stand_in(Path(os.environ[FOLDER]))
        HELD.append(claim_gpus() if os.environ.get(GPUS) else None)
    if share := os.environ.get(THREADS):
        composed.trainer.threads = min(composed.trainer.threads, int(share))


# what this worker holds until it ends, however it ends
HELD: list[FileLock | None] = []


def _stand_in(folder: Path) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(f"{folder}, where the sweep runs, is not on {socket.gethostname()}: {error.strerror}") from None
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # norms and models of the user, as `python -m` finds them


def claim_gpus() -> FileLock:
    """Take one of the sweep's groups of GPUs, "0,1;2,3", for this process alone, before it has looked for any."""
    until = time.monotonic() + SECONDS_FOR_A_GPU
    while time.monotonic() < until:  # a worker that is replaced may not have ended yet
        for number, group in enumerate(os.environ[GPUS].split(";")):
            lock = FileLock(Path(os.environ[SCRATCH]) / f"gpus-{number}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            os.environ["CUDA_VISIBLE_DEVICES"] = group
            return lock
        time.sleep(0.1)
    raise UserError(f"no GPU is left for a worker: all of {os.environ[GPUS]} are taken by others of this sweep")
