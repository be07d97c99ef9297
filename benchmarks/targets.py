"""`python -m benchmarks.targets DATASET` or `+workload=NAME`: a target ladder, measured as its provenance says.

The reference pool is `none` and `batch` on the data set's default recipe, or on the workload's, each at the learning
rate that is best on the tuning seeds; the ladder is trivial + 50, 80 and 95 % of the gap to the better median best over
the target seeds. The learning rates are seven from 0.003 to 3; of a workload its own, with one more on either side.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra import compose, initialize_config_dir

from bnbench.config import Config, learning_rates, read_config
from bnbench.datasets import Task, load, target_ladder
from bnbench.rate_grid import widened
from bnbench.records import ENGINE_VERSION
from bnbench.seeding import TARGET_SEEDS, TUNING_SEEDS
from bnbench.train import CONF
from bnbench.training.automatic_targets import median_best
from bnbench.training.job import run_job

POOL = ("none", "batch")
LEARNING_RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TUNING_RUNS, TARGET_RUNS = 5, 20


def main() -> None:
    """Train the pool and print the yaml of the ladder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("of", metavar="DATASET | +workload=NAME")
    parser.add_argument("--runs-dir", default="runs")
    parser.add_argument("overrides", nargs="*", help="of the recipe, e.g. budget.max_steps=5000")
    arguments = parser.parse_intermixed_args()
    chosen = arguments.of if arguments.of.startswith("+workload=") else f"dataset={arguments.of}"
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [chosen, f"runs_dir={arguments.runs_dir}", "logger=none"]
        asked = read_config(compose("config", [*overrides, *arguments.overrides]))
    # seeds are named below, and no rate is the recipe's
    config = replace(asked, track="recipe", recipe_lr=None)
    rates = widened(learning_rates(config)) if len(learning_rates(config)) > 1 else LEARNING_RATES
    task = load(config.dataset)
    medians = {norm: _median_best(config, task, norm, rates) for norm in POOL}
    better = max if task.direction == "max" else min
    best_norm = better(medians, key=lambda norm: medians[norm][0])
    best, rate = medians[best_norm]
    budget = config.budget
    network = f"{config.model.activation} {'-'.join(map(str, config.model.hidden or []))}"
    command = " ".join([arguments.of, *arguments.overrides])
    provenance = (
        f"trivial {task.trivial:.4g} + 50/80/95 % of the gap to {best:.4g}, the median best {task.metric_name} of "
        f"{TARGET_RUNS} runs of '{best_norm}' at its best learning rate {rate:g} ({budget.max_steps} steps of "
        f"{budget.batch_size}, {config.optimizer.name}, {network}), the better of tuned none and batch, on the "
        f"reserved target seeds; engine version {ENGINE_VERSION}; python -m benchmarks.targets {command}"
    )
    ladder = target_ladder(trivial=task.trivial, best=best, direction=task.direction, provenance=provenance)
    print("targets:")
    for level, value in ladder.items():
        print(f"  {level}: {value}")
    print(f"  metric: {task.metric_name}")
    if arguments.of.startswith("+workload="):  # a data set's own ladder goes wherever its yaml goes
        print(f"  dataset: {config.dataset.name}")


def _median_best(config: Config, task: Task, norm: str, rates: Sequence[float]) -> tuple[float, float]:
    """Return the median best of a norm on the target seeds, and the learning rate chosen on the tuning seeds."""
    tuning = [TUNING_SEEDS + run for run in range(TUNING_RUNS)]
    grid = replace(config, norm={"name": norm}, seeds=tuning)
    grid = replace(grid, optimizer=replace(config.optimizer, lr=list(rates)))
    by_rate = dict(
        zip(learning_rates(grid), (median_best(Path(cell.folder), task, tuning) for cell in run_job(grid)), strict=True)
    )
    better = max if task.direction == "max" else min
    rate = better(by_rate, key=lambda each: by_rate[each])
    seeds = [TARGET_SEEDS + run for run in range(TARGET_RUNS)]
    final = replace(config, norm={"name": norm}, seeds=seeds, optimizer=replace(config.optimizer, lr=rate))
    (cell,) = run_job(final)
    median = median_best(Path(cell.folder), task, seeds)
    print(f"{norm}: {by_rate} -> lr {rate:g}, median best {median:.4f}")
    return median, rate


if __name__ == "__main__":
    main()
