"""What each norm costs beside none: `python -m benchmarks.norm_cost [--json] [--rounds N] [--steps N]`.

Every registered norm at its defaults, in turn over several rounds, one thread, 16 replicas: a whole training step by
bnbench's real path, forward, backward and inference by themselves, and the memory of a step. Each figure is a ratio to
`none` in the same round.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.bnbench_loop import bnbench_loop
from benchmarks.command import measure_and_print
from benchmarks.norm_stack import NormStack
from benchmarks.report import environment
from benchmarks.workload import BATCH_SIZE, NUM_ROWS, THREADS, WIDTHS, make_task
from bnbench.norms import NORMS
from bnbench.training.turns import ratios

REPLICAS = 16
REFERENCE = "none"
PARTS = ("step", "forward", "backward", "inference")
# a step under a norm: at most so many times the step under none
AT_MOST = 2.5
AT_MOST_OF = {"iterative": 4.0, "switchable": 4.0}

# norm → part → seconds of each round
Seconds = dict[str, dict[str, list[float]]]


def measure(*, rounds: int, steps: int, num_rows: int) -> dict[str, Any]:
    """Measure every norm once per round and return the report."""
    torch.set_num_threads(THREADS)
    task = make_task(num_rows)
    stacks = {name: NormStack(task, name, replicas=REPLICAS) for name in NORMS.names()}
    seconds: Seconds = {name: {part: [] for part in PARTS} for name in stacks}
    for _ in range(rounds):
        for name, stack in stacks.items():
            cost = bnbench_loop(task, steps, replicas=REPLICAS, norm=name)
            found = {"step": cost.cpu_seconds / steps, **stack.seconds(steps)}
            for part in PARTS:
                seconds[name][part].append(found[part])
    return make_report(seconds, {name: stack.peak_bytes() for name, stack in stacks.items()}, steps=steps)


def make_report(seconds: Seconds, peak_bytes: dict[str, int], *, steps: int) -> dict[str, Any]:
    """Return the report as plain data: a row per norm."""
    rounds = len(seconds[REFERENCE]["step"])
    return {
        "network": "-".join(map(str, WIDTHS)),
        "batch_size": BATCH_SIZE,
        "replicas": REPLICAS,
        "threads": THREADS,
        "rounds": rounds,
        "steps": steps,
        "rows": [_row(name, seconds, peak_bytes) for name in seconds],
        "environment": environment(),
    }


def _row(name: str, seconds: Seconds, peak_bytes: dict[str, int]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name}
    for part in PARTS:
        own = seconds[name][part]
        beside = ratios(own, seconds[REFERENCE][part])
        row[part] = {
            "us": 1e6 * median(own) / REPLICAS,
            "ratio": {"median": median(beside), "min": min(beside), "max": max(beside)},
        }
    row["peak_memory"] = {"bytes": peak_bytes[name], "ratio": peak_bytes[name] / peak_bytes[REFERENCE]}
    at_most = AT_MOST_OF.get(name, AT_MOST)
    row["aim"] = {"at_most": at_most, "met": row["step"]["ratio"]["median"] <= at_most}
    return row


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print a line per norm."""
    table = Table(
        title=f"{report['network']}, ReLU, SGD, batch {report['batch_size']}, R = {report['replicas']}, "
        f"{report['threads']} thread\nprocessor time, × none in the same round: median (min–max) of "
        f"{report['rounds']} rounds of {report['steps']} steps"
    )
    table.add_column("norm", no_wrap=True)
    for heading in ("µs per seed and step", *PARTS, "peak MB", "× none", "aim", ""):
        table.add_column(heading, justify="right")
    for row in report["rows"]:
        memory, aim = row["peak_memory"], row["aim"]
        table.add_row(
            row["name"],
            f"{row['step']['us']:.0f}",
            *(_spread(row[part]["ratio"]) for part in PARTS),
            f"{memory['bytes'] / 1e6:.1f}",
            f"{memory['ratio']:.2f}",
            f"{aim['at_most']:.1f}",
            "met" if aim["met"] else "missed",
        )
    console.print(table)
    console.print(", ".join(f"{key} {value}" for key, value in report["environment"].items()), highlight=False)


def _spread(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.norm_cost", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each norm (default 7)")
    parser.add_argument("--steps", type=int, default=30, help="steps of a measurement (default 30)")
    parser.add_argument("--rows", type=int, default=NUM_ROWS, help=f"training rows (default {NUM_ROWS})")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.steps < 1 or chosen.rows < BATCH_SIZE:
        parser.error(f"--rounds and --steps take at least 1, --rows at least {BATCH_SIZE}")
    measure_and_print(
        partial(measure, rounds=chosen.rounds, steps=chosen.steps, num_rows=chosen.rows),
        print_report,
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
