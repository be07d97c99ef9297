"""What a board costs: `python -m benchmarks.board_cost [--json] [--rounds N] [--records N] [--format FORMAT]`.

Records of 200 rows (8 seeds × 25 evaluations), 20 entries per workload, are written to a temporary folder by the
writer that runs use: 5,000 of them, and a fifth of that to see how the cost grows. Then `python -m bnbench.leaderboard`
reads, scores and prints them in a process of its own, several times, each from its start.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.command import Report, measure_and_print
from bnbench.records import History, cell_folder, cell_id, record_folder, workload_id, write_record

ENTRIES, SEEDS, MAX_STEPS, CADENCE = 20, 8, 240, 10
FORMATS = ("table", "json", "csv", "markdown", "html")


def write_runs(runs_dir: Path, records: int) -> None:
    """Write so many records of seeds that reach the target at random steps, or not at all."""
    generator = np.random.default_rng(0)
    for index in range(records):
        workload, entry = divmod(index, ENTRIES)
        _write(runs_dir, f"data{workload:04d}", "none" if entry == 0 else f"norm{entry}", generator)


def _write(runs_dir: Path, dataset: str, entry: str, generator: np.random.Generator) -> None:
    grid = np.arange(0, MAX_STEPS + 1, CADENCE)
    hits = generator.integers(20, 260, SEEDS)
    steps, values = np.tile(grid, SEEDS), np.where(grid >= hits[:, None], 0.96, 0.5).ravel()
    blank = np.full(len(steps), 0.1)
    history = History(
        seed=np.repeat(np.arange(SEEDS), len(grid)),
        step=steps,
        epoch=steps / 10,
        samples=steps * 32,
        train_loss=np.where(steps == 0, np.nan, 0.3),
        val_loss=blank,
        val_metric=values,
        learning_rate=blank,
    )
    config = {
        "dataset": {"name": dataset},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "budget": {"max_steps": MAX_STEPS, "batch_size": 32, "eval_every_steps": CADENCE},
    }
    identity: dict[str, Any] = {"workload": config, "entry": {"norm": entry, "options": {}}}
    final = {"val_accuracy": 0.9, "best_val_accuracy": 0.96, "best_step": 240, "test_accuracy": 0.9, "train_loss": 0.1}
    outcome = {"status": "finished", "diverged_at_step": None, "final": final, "spikes": 0, "max_loss": 2.3}
    record: dict[str, Any] = {
        "schema_version": 1,
        "cell_id": cell_id(identity),
        "workload_id": workload_id(identity),
        "workload": dataset,
        "entry": entry,
        "norm": entry,
        "dataset": dataset,
        "experiments": ["benchmark"],
        "track": "recipe",
        "status": "finished",
        "config": config,
        "identity": identity,
        "metric": {"name": "accuracy", "direction": "max", "trivial": 0.1},
        "targets": {"easy": 0.8, "medium": 0.9, "hard": 0.95, "provenance": "benchmark"},
        "seeds": [{"seed": seed, **outcome} for seed in range(SEEDS)],
        "rows": len(steps),
        "timing": {"train_seconds": 1.0, "replicas": SEEDS, "steps": MAX_STEPS},
        "environment": {"command": "python -m bnbench.train", "started_at": "2026-01-01T00:00:00+00:00"},
        "error": None,
    }
    cell = cell_folder(runs_dir, dataset=dataset, norm=entry, cell_id=record["cell_id"])
    write_record(record_folder(cell, range(SEEDS)), record, history.to_table("accuracy"))


def board_once(runs_dir: Path, form: str) -> dict[str, float]:
    """Return wall and processor seconds and the peak memory of one board, from the start of its process."""
    output = runs_dir.parent / "board"
    words = [sys.executable, "-m", "bnbench.leaderboard", str(runs_dir), "--format", form, "--output", str(output)]
    start = time.perf_counter()
    process = subprocess.Popen(words)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the board could not be made: exit code {process.returncode}")
    return {"wall": wall, "processor": usage.ru_utime + usage.ru_stime, "memory_mb": usage.ru_maxrss / 1000}


def measure(records: int, *, rounds: int, form: str) -> Report:
    """Return medians and smallest values for so many records and a fifth of them."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (records // 5, records):
            runs_dir = Path(folder) / f"{count}" / "runs"
            runs_dir.mkdir(parents=True)
            write_runs(runs_dir, count)
            boards = [board_once(runs_dir, form) for _ in range(rounds)]
            summary = {name: (median(b[name] for b in boards), min(b[name] for b in boards)) for name in boards[0]}
            rows.append({"records": count, **summary})
    return {"format": form, "rows_per_record": SEEDS * (MAX_STEPS // CADENCE + 1), "rounds": rounds, "boards": rows}


def print_report(report: Report, console: Console) -> None:
    """Print one line per number of records."""
    console.print(f"{report['format']}, {report['rows_per_record']} rows per record, median (smallest) of each round")
    for row in report["boards"]:
        wall, processor, memory = row["wall"], row["processor"], row["memory_mb"]
        console.print(
            f"{row['records']:>6,} records: wall {wall[0]:.1f} ({wall[1]:.1f}) s, processor {processor[0]:.1f} "
            f"({processor[1]:.1f}) s, memory {memory[0]:.0f} MB"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.board_cost", allow_abbrev=False)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--format", choices=FORMATS, default="table")
    options = parser.parse_args(arguments)
    measure_and_print(
        lambda: measure(options.records, rounds=options.rounds, form=options.format), print_report, as_json=options.json
    )


if __name__ == "__main__":
    main()
