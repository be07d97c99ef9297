"""What each diagnostic costs beside training: `python -m benchmarks.diagnostics_cost [--json] [--rounds N]`.

The digits quickstart, evaluated every 25 steps, by bnbench's real path: without diagnostics, with each by itself and
with all of them, in turn over several rounds, one thread. Processor time between the second evaluation and the last;
what diagnostics add to it, beside the training alone, evaluation not included, of the same round.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from benchmarks.bnbench_loop import Readings
from benchmarks.command import measure_and_print
from benchmarks.report import environment
from benchmarks.workload import THREADS, Cost
from bnbench.config import Config, read_config
from bnbench.datasets import Task, load
from bnbench.norms import choose_norm
from bnbench.train import CONF
from bnbench.training.diagnostics import DIAGNOSTICS
from bnbench.training.fit import Member, fit

STACKS = (8, 32)
NORMS = ("none", "batch")
CADENCE = 25  # the default of budget.eval_every_steps
NOTHING, ALL = "nothing", "all"
# training with all diagnostics: at most so many times training without
AT_MOST = 2.0

# (norm, replicas) → what is looked at → of each round the processor time of a step, of all and of training alone
Costs = dict[tuple[str, int], dict[str, list[tuple[float, float]]]]


def measure(*, rounds: int, steps: int, stacks: Sequence[int] = STACKS) -> dict[str, Any]:
    """Measure everything once per round and return the report."""
    torch.set_num_threads(THREADS)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = ["+experiment=quickstart", "logger=none", f"trainer.threads={THREADS}"]
        config = read_config(compose("config", overrides))
    budget = replace(config.budget, eval_every_steps=CADENCE, max_steps=steps)
    config, task = replace(config, budget=budget), load(config.dataset)
    asked: dict[str, list[str]] = {NOTHING: [], **{name: [name] for name in DIAGNOSTICS.names()}, ALL: ["all"]}
    costs: Costs = {(norm, count): {name: [] for name in asked} for norm in NORMS for count in stacks}
    for _ in range(rounds):
        for (norm, count), found in costs.items():
            for name, diagnostics in asked.items():
                chosen = replace(config, norm={"name": norm}, diagnostics=diagnostics)
                found[name].append(_seconds_per_step(chosen, task, replicas=count))
    return make_report(costs, steps=steps)


def _seconds_per_step(config: Config, task: Task, *, replicas: int) -> tuple[float, float]:
    """Return the processor time of a step with all that comes between, and that of training alone."""
    readings = Readings()
    members = [Member(seed, config.optimizer.lr) for seed in range(replicas)]
    fit(config, task, choose_norm(config.norm), members, stacked=True, observers=[readings])
    before, after = readings.taken[1], readings.taken[-1]
    cost = Cost(after.cpu_seconds - before.cpu_seconds, after.wall_seconds - before.wall_seconds)
    # bnbench stops a clock on the wall; processor time has none, and is split as the wall is
    share = (after.train_seconds - before.train_seconds) / cost.wall_seconds
    steps = (len(readings.taken) - 2) * CADENCE
    return cost.cpu_seconds / steps, share * cost.cpu_seconds / steps


def make_report(costs: Costs, *, steps: int) -> dict[str, Any]:
    """Return the report as plain data: a row per norm, stack and what was looked at."""
    rows = [
        _row(norm, count, name, own, found[NOTHING])
        for (norm, count), found in costs.items()
        for name, own in found.items()
    ]
    rounds = len(next(iter(costs.values()))[NOTHING])
    return {"steps": steps, "cadence": CADENCE, "rounds": rounds, "rows": rows, "environment": environment()}


def _row(
    norm: str, replicas: int, name: str, own: list[tuple[float, float]], nothing: list[tuple[float, float]]
) -> dict[str, Any]:
    beside = [1 + (with_it - plain) / training for (with_it, _), (plain, training) in zip(own, nothing, strict=True)]
    ratio = {"median": median(beside), "min": min(beside), "max": max(beside)}
    aim = {"at_most": AT_MOST, "met": ratio["median"] <= AT_MOST} if name == ALL else None
    return {
        "norm": norm,
        "replicas": replicas,
        "name": name,
        "us_per_step": 1e6 * median(total for total, _ in own),
        "training_us_per_step": 1e6 * median(training for _, training in nothing),
        "steps_per_evaluation": CADENCE * (ratio["median"] - 1),
        "ratio": ratio,
        "aim": aim,
    }


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print a line per diagnostic, a column per norm and stack."""
    columns = list(dict.fromkeys((row["norm"], row["replicas"]) for row in report["rows"]))
    rows = {(row["norm"], row["replicas"], row["name"]): row for row in report["rows"]}
    table = Table(
        title=f"digits quickstart, an evaluation every {report['cadence']} steps, {THREADS} thread\n× training "
        f"without, processor time: median (min–max) of {report['rounds']} rounds of {report['steps']} steps"
    )
    table.add_column("diagnostics", no_wrap=True)
    for norm, replicas in columns:
        table.add_column(f"{norm}, R = {replicas}", justify="right")
    for name in dict.fromkeys(row["name"] for row in report["rows"]):
        table.add_row(name, *(_cell(rows[norm, replicas, name]) for norm, replicas in columns))
    console.print(table)
    console.print(", ".join(f"{key} {value}" for key, value in report["environment"].items()), highlight=False)


def _cell(row: dict[str, Any]) -> str:
    if row["name"] == NOTHING:
        return f"{row['training_us_per_step']:.0f} µs a step"
    ratio, aim = row["ratio"], row["aim"]
    judged = "" if aim is None else f" at most {aim['at_most']:.0f}: {'met' if aim['met'] else 'missed'}"
    return f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f}){judged}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnostics_cost", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each diagnostic (default 5)")
    parser.add_argument("--steps", type=int, default=150, help=f"steps of a measurement, from {2 * CADENCE} (150)")
    parser.add_argument("--replicas", type=int, nargs="+", default=STACKS, help="sizes of the stack (default 8 32)")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.steps < 2 * CADENCE or chosen.steps % CADENCE or min(chosen.replicas) < 1:
        parser.error(f"--rounds and --replicas take at least 1, --steps a multiple of {CADENCE} from {2 * CADENCE}")
    measure_and_print(
        partial(measure, rounds=chosen.rounds, steps=chosen.steps, stacks=chosen.replicas),
        print_report,
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
