"""How often "real" is said of nothing: real training of entries that are the same, or nearly.

Small networks on digits, trained by `bnbench.training.fit` in batches of replicas and judged by what the board judges
with. Pairs of entries are disjoint sets of seeds, so that the verdicts are independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.data_cost import read_config
from bnbench.config import (
    BudgetConfig,
    Config,
    LoggerConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainerConfig,
)
from bnbench.datasets import Task, load
from bnbench.norms import choose_norm
from bnbench.scoring import SeedTimes, Times, compare_with_reference, time_to_target, wilson_interval
from bnbench.training.data_order import DataOrder
from bnbench.training.fit import Member, fit

Decide = Callable[[Times, Times], bool]
Pool = tuple[Times, Times]
Curves = tuple[Any, Any]
SEEDS = (8, 16)
STACK = 250
TARGETS = (0.8, 0.87)
MAX_STEPS, EVERY_STEPS = 64, 2
# the order of the rows is then that of seeds far from all that are trained
OTHER_ORDER = 500_000


def measure_aa(*, num_pairs: int, keep: Path | None = None) -> dict[str, Any]:
    """Return, for each kind of null, target and number of seeds, how many of the pairs of entries were called real.

    `num_pairs` pairs of entries of 16 seeds, and of the same seeds twice as many of 8. `keep` holds finished trainings.
    """
    count = num_pairs * max(SEEDS)
    curves = {name: curves_of(name, count=count, keep=keep) for name in POOL}
    rows = []
    for target in TARGETS:
        times = {name: times_of(each, target) for name, each in curves.items()}
        for kind, pool in nulls(times).items():
            facts = {"kind": kind, "target": target} | described(pool)
            rows += [facts | judged(pool, num_seeds=num_seeds) for num_seeds in SEEDS]
    return {"max_steps": MAX_STEPS, "every_steps": EVERY_STEPS, "trained": len(POOL) * count, "rows": rows}


# norm, whether it is the second half of the seeds, and from how far on the order of the rows is taken
POOL = {
    "batch": ("batch", False, 0),
    "others": ("batch", True, 0),
    "order": ("batch", False, OTHER_ORDER),
    "rms": ("rms", False, 0),
    "scale": ("scale", False, 0),
}


def curves_of(name: str, *, count: int, keep: Path | None) -> Curves:
    """Return the curves of one part of the pool, trained unless `keep` has them."""
    path = None if keep is None else keep / f"aa-{name}-{count}.npz"
    if path is not None and path.exists():
        with np.load(path) as kept:
            return kept["steps"], kept["values"]
    norm, others, order_offset = POOL[name]
    seeds = range(count, 2 * count) if others else range(count)
    steps, values = trained(load(read_config("digits")), norm, seeds, order_offset=order_offset)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, steps=steps, values=values)
    return steps, values


def nulls(times: dict[str, Times]) -> dict[str, Pool]:
    """Return the pairs of entries of each kind of null."""
    return {
        "batch, other seeds": (times["batch"], times["others"]),
        "batch, other data order": (times["batch"], times["order"]),
        "rms against scale": (times["rms"], times["scale"]),
        "rms against scale, means made equal": made_equal(times["rms"], times["scale"]),
        "rms against batch, means made equal": made_equal(times["rms"], times["batch"]),
    }


def made_equal(slower: Times, faster: Times) -> Pool:
    """Return both, the faster delayed by whole evaluations, in a random share of its seeds by one more.

    Their means are then equal over all seeds, but for what one seed makes. Times stay on the cadence, and seeds pairs.
    """
    draws = np.random.default_rng(7).random(len(faster))
    wanted = float(np.mean(slower.steps))

    def delayed(evaluations: float) -> Times:
        whole = np.floor(evaluations) + (draws < evaluations % 1)
        steps = faster.steps + whole * faster.cadence
        reached = faster.reached & (steps <= faster.budget)
        return replace(faster, steps=np.minimum(steps, faster.budget), reached=reached)

    few, many = 0.0, faster.budget / faster.cadence
    while many - few > 1e-4:
        middle = (few + many) / 2
        if float(np.mean(delayed(middle).steps)) < wanted:
            few = middle
        else:
            many = middle
    return slower, delayed(many)


def judged(pool: Pool, *, num_seeds: int, decide: Decide | None = None) -> dict[str, Any]:
    """Return how many of the disjoint sets of `num_seeds` pairs were called real, as a share with Wilson's interval."""
    chunks = np.arange(len(pool[0])).reshape(-1, num_seeds)
    called = sum((decide or real)(pool[0].take(chunk), pool[1].take(chunk)) for chunk in chunks)
    interval = wilson_interval(called, len(chunks))
    return {
        "num_seeds": num_seeds,
        "num_pairs": len(chunks),
        "real": called,
        "share": interval.estimate,
        "low": interval.low,
        "high": interval.high,
    }


def real(first: Times, second: Times) -> bool:
    """Return whether the board calls the difference of two entries real, with nothing else on it."""
    seeds = np.arange(len(first))
    if first.budget != second.budget:
        raise ValueError(f"budgets of {first.budget} and {second.budget} steps: expected one")
    [comparison] = compare_with_reference(SeedTimes(seeds, first), [SeedTimes(seeds, second)])
    return comparison is not None and comparison.decided


def described(pool: Pool) -> dict[str, Any]:
    """Return what the pairs look like: means, spreads, correlation, misses."""
    first, second = pool
    means = float(np.mean(first.steps)), float(np.mean(second.steps))
    return {
        "means": list(means),
        "spreads": [float(np.std(times.steps, ddof=1)) / mean for times, mean in zip(pool, means, strict=True)],
        "correlation": float(np.corrcoef(first.steps, second.steps)[0, 1]),
        "missed": [1 - float(np.mean(times.reached)) for times in pool],
    }


def workload(norm: str) -> Config:
    """Return the configuration of the small network."""
    return Config(
        dataset=read_config("digits"),
        model=ModelConfig(name="mlp", hidden=[16]),
        norm={"name": norm},
        optimizer=OptimizerConfig(name="sgd", lr=0.3),
        schedule=ScheduleConfig(name="constant"),
        budget=BudgetConfig(max_steps=MAX_STEPS, batch_size=32, eval_every_steps=EVERY_STEPS),
        trainer=TrainerConfig(name="cpu", threads=1),
        logger=LoggerConfig(name="none"),
    )


def trained(task: Task, norm: str, seeds: Sequence[int], *, order_offset: int = 0) -> Curves:
    """Return the evaluations (g,) and the validation metric (n, g) of every seed; the order of the rows may be that of
    another seed."""
    config = workload(norm)
    values = []
    steps: list[int] = []
    for start in range(0, len(seeds), STACK):
        members = [Member(seed, float(config.optimizer.lr)) for seed in seeds[start : start + STACK]]
        with mock.patch("bnbench.training.fit.DataOrder", partial(shifted_order, order_offset)):
            trajectory = fit(config, task, choose_norm(config.norm), members, stacked=True)
        steps = [observation.step for observation in trajectory.observations]
        metric = np.full((len(members), len(steps)), np.nan)
        for column, observation in enumerate(trajectory.observations):
            metric[observation.members, column] = observation.val_metric
        values.append(metric)
    return np.array(steps), np.concatenate(values)


def shifted_order(offset: int, seeds: Sequence[int], **options: Any) -> DataOrder:
    """Return the order of the rows that the seeds `offset` further on would have."""
    return DataOrder([seed + offset for seed in seeds], **options)


def times_of(curves: Curves, target: float) -> Times:
    """Return the times of all seeds to an accuracy."""
    steps, values = curves
    return time_to_target(steps, values, target=target, direction="max", budget=MAX_STEPS)
