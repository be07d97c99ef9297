"""A large table in a file, and what it takes to open it and to train from it, in a process of its own."""

import json
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bnbench.config import (
    BudgetConfig,
    Config,
    LoggerConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainerConfig,
)
from bnbench.datasets import DatasetConfig, MappedRows, load
from bnbench.norms import choose_norm
from bnbench.training.fit import Member, fit

SEEDS = 8
STEPS = 100
BLOCK_ROWS = 100_000


def write_file(path: Path, *, rows: int, features: int) -> None:
    """Write Gaussian rows in float32 and ten classes as an .npz that is not compressed, block by block."""
    stream = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("X.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (rows, features)}
            np.lib.format.write_array_header_1_0(member, header)
            for start in range(0, rows, BLOCK_ROWS):
                block = stream.standard_normal((min(BLOCK_ROWS, rows - start), features), dtype=np.float32)
                member.write((block * 3 + 5).tobytes())
        with archive.open("y.npy", "w") as member:
            np.lib.format.write_array(member, stream.integers(0, 10, rows), allow_pickle=False)


def described(path: Path, *, preprocessing: str = "none", storage: str = "mapped") -> DatasetConfig:
    """Return the configuration of such a file."""
    return DatasetConfig("large", "file", preprocessing, path=str(path), storage=storage)


def open_and_train(path: Path, preprocessing: str) -> dict[str, Any]:
    """Open the file, train a few steps of eight seeds, and return seconds and memory in bytes.

    Private memory is what is no page of a file (RssAnon), looked at every 5 ms: pages of files are in the system's
    cache, which takes them back when memory is short. `peak_bytes` counts those too (VmHWM).
    """
    torch.set_num_threads(1)
    watch = _Watch()
    before = _status("RssAnon")
    start, processor = time.perf_counter(), time.process_time()
    task = load(described(path, preprocessing=preprocessing))
    opened, processor = time.perf_counter(), time.process_time() - processor
    config = Config(
        dataset=described(path, preprocessing=preprocessing),
        model=ModelConfig(name="mlp", hidden=[100, 100]),
        norm={"name": "batch"},
        optimizer=OptimizerConfig(name="sgd", lr=0.1),
        schedule=ScheduleConfig(name="constant"),
        budget=BudgetConfig(max_steps=STEPS, batch_size=60, eval_every_steps=STEPS),
        trainer=TrainerConfig(name="cpu", threads=1),
        logger=LoggerConfig(name="none"),
    )
    trajectory = fit(config, task, choose_norm(config.norm), [Member(seed, 0.1) for seed in range(SEEDS)], stacked=True)
    return {
        "mapped": isinstance(task.train_inputs, MappedRows),
        "checksum": task.checksum,
        "open_seconds": opened - start,
        "open_processor_seconds": processor,
        "train_seconds": trajectory.train_seconds,
        "imported_bytes": before,
        "peak_private_bytes": watch.stop(),
        "peak_bytes": _status("VmHWM"),
    }


class _Watch:
    """The largest private memory of this process from now on."""

    def __init__(self) -> None:
        self._largest = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._done.wait(0.005):
            self._largest = max(self._largest, _status("RssAnon"))

    def stop(self) -> int:
        self._done.set()
        self._thread.join()
        return self._largest


def _status(name: str) -> int:
    """Return a size in bytes that Linux tells of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this system does not tell {name} of a process")


if __name__ == "__main__":
    json.dump(open_and_train(Path(sys.argv[1]), sys.argv[2]), sys.stdout)
