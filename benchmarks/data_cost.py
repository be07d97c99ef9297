"""What data cost: `python -m benchmarks.data_cost [--json] [--rounds N] [--rows N]`.

Cutting a batch of R replicas beside the bare gather of its inputs and labels, in memory and from a file, in turn over
several rounds, one thread. Opening a file of 5 million rows of 100 features and training from it, in a process of its
own: the file is written to a temporary folder, takes 2 GB of disk and is removed afterwards. Data sets of the
catalogue, ready.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from benchmarks.command import measure_and_print
from benchmarks.data_file import described, write_file
from benchmarks.report import environment
from benchmarks.workload import BATCH_SIZE, THREADS
from bnbench.datasets import DatasetConfig, MappedRows, load
from bnbench.errors import UserError
from bnbench.training.task_tensors import TaskTensors

STACKS = (1, 16, 64)
ROWS, FEATURES = 5_000_000, 100
# rows of the table in memory: as many as a processor's cache does not hold
ROWS_IN_MEMORY = 500_000
PREPROCESSINGS = ("none", "center", "standardize")
CATALOGUE = {"fashion_mnist": 3.0, "adult": 2.0}
AT_MOST_OF_GATHER = 1.2
OPEN_WITHIN_SECONDS = 2.0
MOST_BYTES = 4 * 2**30
REPOSITORY = Path(__file__).parent.parent


def measure(*, rounds: int, cuts: int, rows: int) -> dict[str, Any]:
    """Measure everything and return the report as plain data."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_file(folder / "small.npz", rows=min(rows, ROWS_IN_MEMORY), features=FEATURES)
        write_file(folder / "large.npz", rows=rows, features=FEATURES)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")  # the first opening is one
        opening = [row for each in PREPROCESSINGS for row in _opening(folder / "large.npz", each)]
        cutting = [
            row
            for replicas in STACKS
            for row in (
                _in_memory(folder / "small.npz", replicas, rounds=rounds, cuts=cuts),
                *(
                    _from_file(folder / "large.npz", replicas, each, rounds=rounds, cuts=cuts)
                    for each in PREPROCESSINGS
                ),
            )
        ]
    return {
        "rows": rows,
        "features": FEATURES,
        "batch_size": BATCH_SIZE,
        "threads": THREADS,
        "rounds": rounds,
        "cuts": cuts,
        "cutting": cutting,
        "opening": opening,
        "catalogue": [_ready(name, within) for name, within in CATALOGUE.items()],
        "environment": environment(),
    }


def _in_memory(path: Path, replicas: int, *, rounds: int, cuts: int) -> dict[str, Any]:
    data = TaskTensors(load(described(path, storage="memory")))
    inputs = data.train_inputs
    if not isinstance(inputs, torch.Tensor):
        raise TypeError("expected rows in memory")
    labels = data.train_labels

    def bare(rows: torch.Tensor) -> Any:
        flat = rows.flatten()
        return inputs.index_select(0, flat), labels.index_select(0, flat)

    def inputs_only(rows: torch.Tensor) -> Any:
        return inputs.index_select(0, rows.flatten())

    found = _in_turn(bare, data.cut, inputs_only, len(inputs), replicas, rounds=rounds, cuts=cuts)
    return {"from": "memory", "preprocessing": "any", "replicas": replicas, **found}


def _from_file(path: Path, replicas: int, preprocessing: str, *, rounds: int, cuts: int) -> dict[str, Any]:
    task = load(described(path, preprocessing=preprocessing))
    data, rows_of = TaskTensors(task), task.train_inputs
    if not isinstance(rows_of, MappedRows):
        raise TypeError("expected rows in a file")
    array = rows_of.array
    # The bare gather is asked for a .npy, where numbers begin at a multiple of 64: NumPy gathers others more slowly.
    stored = np.memmap(path, dtype=np.float32, mode="r", offset=array.offset // 4 * 4, shape=array.stored_shape)
    labels = data.train_labels

    def bare(rows: torch.Tensor) -> Any:
        flat = rows.flatten()
        return stored[rows_of.rows[flat.numpy()]], labels.index_select(0, flat)

    def inputs_only(rows: torch.Tensor) -> Any:
        return stored[rows_of.rows[rows.flatten().numpy()]]

    found = _in_turn(bare, data.cut, inputs_only, len(rows_of), replicas, rounds=rounds, cuts=cuts)
    return {"from": "file", "preprocessing": preprocessing, "replicas": replicas, **found}


def _in_turn(
    bare: Callable[[torch.Tensor], Any],
    cut: Callable[[torch.Tensor], Any],
    inputs_only: Callable[[torch.Tensor], Any],
    num_rows: int,
    replicas: int,
    *,
    rounds: int,
    cuts: int,
) -> dict[str, Any]:
    """Return microseconds of processor time of one bare gather of inputs and labels, of inputs alone, and of one cut,
    each of rows of its own, and the ratio of the cut to the bare gather in the same round."""
    stream = torch.Generator().manual_seed(0)
    seconds: dict[str, list[float]] = {"bare": [], "cut": [], "inputs": []}
    for turn in range(rounds + 1):
        for name, run in (("bare", bare), ("cut", cut), ("inputs", inputs_only)):
            batches = [torch.randint(num_rows, (replicas, BATCH_SIZE), generator=stream) for _ in range(cuts)]
            start = time.process_time()
            for rows in batches:
                run(rows)
            if turn:  # the first round warms up
                seconds[name].append((time.process_time() - start) / cuts)
    ratios = [ours / theirs for ours, theirs in zip(seconds["cut"], seconds["bare"], strict=True)]
    return {
        "bare_us": 1e6 * median(seconds["bare"]),
        "inputs_only_us": 1e6 * median(seconds["inputs"]),
        "cut_us": 1e6 * median(seconds["cut"]),
        "ratio": {"median": median(ratios), "min": min(ratios), "max": max(ratios)},
        "aim": {"at_most": AT_MOST_OF_GATHER, "met": median(ratios) <= AT_MOST_OF_GATHER},
    }


def _opening(path: Path, preprocessing: str) -> list[dict[str, Any]]:
    """Return the first opening and the next, each in a new process."""
    found = []
    for opening in ("first", "again"):
        row = {"preprocessing": preprocessing, "opening": opening, **open_in_new_process(path, preprocessing)}
        within = row["open_seconds"] <= OPEN_WITHIN_SECONDS if opening == "again" else None
        row["aim"] = {"seconds_met": within, "memory_met": row["peak_private_bytes"] <= MOST_BYTES}
        found.append(row)
    return found


def open_in_new_process(path: Path, preprocessing: str) -> dict[str, Any]:
    """Return what `open_and_train` of a process that has done nothing before returns."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.data_file", str(path), preprocessing]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _ready(name: str, within: float) -> dict[str, Any]:
    """Return the seconds until a data set of the catalogue is ready, the best of three; None where it is not here."""
    config = read_config(name)
    seconds = []
    try:
        for _ in range(3):
            start = time.perf_counter()
            load(config)
            seconds.append(time.perf_counter() - start)
    except UserError as error:
        return {"name": name, "seconds": None, "why": str(error), "aim": {"at_most": within, "met": None}}
    return {"name": name, "seconds": min(seconds), "aim": {"at_most": within, "met": min(seconds) <= within}}


def read_config(name: str) -> DatasetConfig:
    """Return the configuration of a data set of the catalogue."""
    values: Any = OmegaConf.to_object(OmegaConf.load(REPOSITORY / "conf" / "dataset" / f"{name}.yaml"))
    return DatasetConfig(**(values | {"targets": None}))


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print three tables."""
    cutting = Table(title=f"a batch of R × {report['batch_size']} rows of {report['features']}: processor time")
    for heading in ("rows from", "preprocessing", "R", "bare gather, µs", "of inputs alone", "cut, µs", "ratio", ""):
        cutting.add_column(heading)
    for row in report["cutting"]:
        ratio = row["ratio"]
        cutting.add_row(
            row["from"],
            row["preprocessing"],
            str(row["replicas"]),
            f"{row['bare_us']:.1f}",
            f"{row['inputs_only_us']:.1f}",
            f"{row['cut_us']:.1f}",
            f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})",
            _said(row["aim"]["met"]),
        )
    opening = Table(title=f"{report['rows']:,} × {report['features']} in a file")
    for heading in (
        "preprocessing",
        "opening",
        "seconds",
        "",
        "of processor",
        "private memory, MB",
        "with the file's pages, MB",
        "",
    ):
        opening.add_column(heading)
    for row in report["opening"]:
        opening.add_row(
            row["preprocessing"],
            row["opening"],
            f"{row['open_seconds']:.2f}",
            _said(row["aim"]["seconds_met"]),
            f"{row['open_processor_seconds']:.2f}",
            f"{row['peak_private_bytes'] / 1e6:.0f}",
            f"{row['peak_bytes'] / 1e6:.0f}",
            _said(row["aim"]["memory_met"]),
        )
    for table in (cutting, opening):
        console.print(table)
    for row in report["catalogue"]:
        seconds = "not here" if row["seconds"] is None else f"{row['seconds']:.2f} s"
        console.print(f"{row['name']} ready: {seconds}, at most {row['aim']['at_most']:g} s {_said(row['aim']['met'])}")
    console.print(", ".join(f"{key} {value}" for key, value in report["environment"].items()), highlight=False)


def _said(met: bool | None) -> str:
    return "" if met is None else "met" if met else "missed"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_cost", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each gather and cut (default 7)")
    parser.add_argument("--cuts", type=int, default=100, help="batches of a measurement (default 100)")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of the large file (default {ROWS})")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.cuts < 1 or chosen.rows < 200:
        parser.error("--rounds and --cuts take at least 1, --rows at least 200")
    measure_and_print(
        partial(measure, rounds=chosen.rounds, cuts=chosen.cuts, rows=chosen.rows), print_report, as_json=chosen.json
    )


if __name__ == "__main__":
    main()
