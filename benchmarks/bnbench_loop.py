"""bnbench by its real path: `bnbench.training.fit.fit`, the LightningModule under the Trainer with its evaluator."""

import time
from dataclasses import dataclass

from benchmarks.workload import BATCH_SIZE, LEARNING_RATE, THREADS, WIDTHS, Cost
from bnbench.config import (
    BudgetConfig,
    Config,
    LoggerConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainerConfig,
)
from bnbench.datasets import DatasetConfig, Task
from bnbench.norms import choose_norm
from bnbench.training.fit import Member, fit
from bnbench.training.history import Observation, Trajectory


@dataclass(frozen=True)
class Reading:
    """The clocks at the end of an evaluation."""

    cpu_seconds: float
    wall_seconds: float
    train_seconds: float


class Readings:
    """Reads the clocks at every evaluation."""

    def __init__(self) -> None:
        self.taken: list[Reading] = []

    def observe(self, observation: Observation, trajectory: Trajectory) -> None:
        """Take one reading."""
        self.taken.append(Reading(time.process_time(), time.perf_counter(), trajectory.train_seconds))


def bnbench_loop(task: Task, steps: int, *, replicas: int, norm: str = "batch") -> Cost:
    """Measure the steps between the second evaluation and the third; those before warm up.

    bnbench stops its own clock for evaluations. Processor time has no such clock: the share of the evaluation is
    taken off as on the wall.
    """
    readings = Readings()
    config = loop_config(steps, norm=norm)
    members = [Member(seed, LEARNING_RATE) for seed in range(replicas)]
    fit(config, task, choose_norm(config.norm), members, stacked=True, observers=[readings])
    _, before, after = readings.taken
    wall = after.wall_seconds - before.wall_seconds
    train = after.train_seconds - before.train_seconds
    return Cost((after.cpu_seconds - before.cpu_seconds) * train / wall, train)


def loop_config(steps: int, *, norm: str) -> Config:
    """Return the configuration of a run of 2 · `steps` steps that is evaluated before, between and after them."""
    return Config(
        dataset=DatasetConfig(name="random", source="memory", preprocessing="none", metric="accuracy", direction="max"),
        model=ModelConfig(name="mlp", hidden=list(WIDTHS[1:-1])),
        norm={"name": norm},
        optimizer=OptimizerConfig(name="sgd", lr=LEARNING_RATE),
        schedule=ScheduleConfig(name="constant"),
        budget=BudgetConfig(max_steps=2 * steps, batch_size=BATCH_SIZE, eval_every_steps=steps),
        trainer=TrainerConfig(name="cpu", threads=THREADS),
        logger=LoggerConfig(name="none"),
    )
