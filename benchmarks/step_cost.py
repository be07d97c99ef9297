"""The cost of a training step beside what a user would write instead: `python -m benchmarks.step_cost [--json]`.

All contestants are measured in one run, in turn over several rounds, one thread each, the same number of seed-steps
per measurement. Figures of one run compare; those of different runs or machines do not.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from benchmarks import report
from benchmarks.bnbench_loop import bnbench_loop
from benchmarks.command import measure_and_print
from benchmarks.floor import floor_loop
from benchmarks.jax_worker import JaxWorker, is_installed
from benchmarks.user_loops import lightning_loop, raw_loop
from benchmarks.workload import NUM_ROWS, THREADS, Cost, make_task

STACKS = (1, 16, 64)

# (name, R) → what measures so many steps; None where it is not installed
Contestants = dict[tuple[str, int], Callable[[int], Cost] | None]


@contextmanager
def contestants(num_rows: int) -> Iterator[Contestants]:
    """Make every contestant, in the order of a round."""
    task = make_task(num_rows)
    worker = JaxWorker(num_rows) if is_installed() else None
    everyone: Contestants = {
        (report.LIGHTNING, 1): partial(lightning_loop, task, torchmetrics=False),
        (report.LIGHTNING_TORCHMETRICS, 1): partial(lightning_loop, task, torchmetrics=True),
        (report.RAW, 1): partial(raw_loop, task),
    }
    for replicas in STACKS:
        everyone[report.OURS, replicas] = partial(bnbench_loop, task, replicas=replicas)
        everyone[report.JAX, replicas] = partial(worker.measure, replicas=replicas) if worker else None
        everyone[report.FLOOR, replicas] = partial(floor_loop, task, replicas=replicas)
    try:
        yield everyone
    finally:
        if worker:
            worker.close()


def measure(*, rounds: int, seed_steps: int, num_rows: int) -> dict[str, Any]:
    """Measure every contestant once per round and return the report."""
    with contestants(num_rows) as everyone:
        costs: dict[tuple[str, int], list[Cost]] = {key: [] for key in everyone}
        for _ in range(rounds):
            for key, run in everyone.items():
                torch.set_num_threads(THREADS)
                if run is not None:
                    costs[key].append(run(seed_steps // key[1]))
    return report.make_report(costs, rounds=rounds, seed_steps=seed_steps)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step_cost", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each contestant (default 7)")
    parser.add_argument(
        "--seed-steps", type=int, default=960, help=f"seed-steps of a measurement, a multiple of {max(STACKS)} (960)"
    )
    parser.add_argument("--rows", type=int, default=NUM_ROWS, help=f"training rows (default {NUM_ROWS})")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.seed_steps < 1 or chosen.seed_steps % max(STACKS):
        parser.error(f"--rounds takes at least 1, --seed-steps a multiple of {max(STACKS)}")
    measure_and_print(
        partial(measure, rounds=chosen.rounds, seed_steps=chosen.seed_steps, num_rows=chosen.rows),
        report.print_report,
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
