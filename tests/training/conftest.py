"""Small tasks, configurations and trained batches of replicas that the tests of training share."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

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
from bnbench.metric_facts import METRICS
from bnbench.norms import choose_norm
from bnbench.training import fit as fit_module
from bnbench.training.fit import Member, fit
from bnbench.training.history import Observation, Trajectory
from bnbench.training.replicas import Replicas

Numbers = dict[str, npt.NDArray[Any]]

GROUPS = {
    "model": (ModelConfig, {"name": "mlp", "hidden": [36, 12]}),
    "optimizer": (OptimizerConfig, {"name": "sgd", "lr": 0.1}),
    "schedule": (ScheduleConfig, {"name": "cosine"}),
    "budget": (BudgetConfig, {"max_steps": 6, "batch_size": 16, "eval_every_steps": 3}),
    "trainer": (TrainerConfig, {"name": "cpu", "threads": 1}),
}


def make_config(
    norm: str | dict[str, Any] = "none", *, diagnostics: str | Sequence[str] = (), **changes: Any
) -> Config:
    """A configuration of small MLPs; `changes` are written as on the command line with two underscores for the dot."""
    groups = {name: dict(defaults) for name, (_, defaults) in GROUPS.items()}
    for key, value in changes.items():
        group, _, option = key.partition("__")
        groups[group][option] = value
    return Config(
        dataset=DatasetConfig("toy", "arrays", "none", "accuracy", "max"),
        norm={"name": norm} if isinstance(norm, str) else norm,
        logger=LoggerConfig(name="none"),
        diagnostics=diagnostics,
        **{name: schema(**groups[name]) for name, (schema, _) in GROUPS.items()},
    )


@cache
def make_task(
    *, outputs: int = 3, features: int = 12, rows: int = 90, loss: str | None = None, metric: str | None = None
) -> Task:
    """Rows of Gaussian features: `outputs` classes by a linear rule, or with one output a smooth function of them."""
    stream = np.random.default_rng(0)
    rule = stream.standard_normal((features, outputs)).astype(np.float32)
    parts = {}
    for part, count in (("train", rows), ("validation", 37), ("test", 41)):
        inputs = stream.standard_normal((count, features)).astype(np.float32)
        scores = inputs @ rule
        labels = scores.argmax(1) if outputs > 1 else np.sin(scores[:, 0])
        parts |= {f"{part}_inputs": torch.from_numpy(inputs), f"{part}_labels": torch.from_numpy(labels)}
    classes = outputs > 1
    metric_name = metric or ("accuracy" if classes else "rmse")
    return Task(
        name="toy",
        kind="classification" if classes else "regression",
        num_features=features,
        num_outputs=1 if loss == "binary" else outputs,
        loss=loss or ("cross_entropy" if classes else "mse"),
        metric_name=metric_name,
        direction=METRICS[metric_name].direction,
        trivial=0.5,
        label_scale=1.0 if classes else 2.5,
        targets=None,
        checksum="",
        **parts,
    )


@dataclass
class Run:
    """A trained batch of replicas, and everything in its stack at every evaluation."""

    trajectory: Trajectory
    states: list[dict[str, Tensor]] = field(default_factory=list)

    def numbers(self, position: int) -> Numbers:
        """Every number one replica left behind."""
        rows, states = [], []
        for observation, state in zip(self.trajectory.observations, self.states, strict=True):
            for place in np.flatnonzero(observation.members == position):
                rows.append(_row(observation, place))
                states.append({name: stack[place].numpy() for name, stack in state.items()})
        names = ("diverged_at_step", "best_metric", "best_step", "test_metric", "last_metric", "spikes", "max_loss")
        return {
            "rows (step, train_loss, val_loss, val_metric, learning_rate)": np.array(rows),
            **{f"state {name}": np.stack([state[name] for state in states]) for name in states[0]},
            **{name: np.asarray(getattr(self.trajectory, name)[position]) for name in names},
        }

    def rows(self, position: int) -> npt.NDArray[np.float64]:
        """The rows of one replica: step, train_loss, val_loss, val_metric, learning_rate."""
        return next(iter(self.numbers(position).values()))


def _row(observation: Observation, place: int) -> list[float]:
    columns = (observation.train_loss, observation.val_loss, observation.val_metric, observation.learning_rate)
    return [observation.step, *(column[place] for column in columns)]


@dataclass
class Watcher:
    """Copies the stack at every evaluation, and first changes it where the test asks for that."""

    run: Run
    change: Callable[[Replicas, int], None] | None
    replicas: Replicas | None = None

    def observe(self, observation: Observation, trajectory: Trajectory) -> None:
        assert self.replicas is not None
        self.run.states.append(self.replicas.snapshot())
        if self.change is not None:
            self.change(self.replicas, observation.step)


Train = Callable[..., Run]
Change = Callable[[Replicas, int], None]


def train_batch(
    seeds: Sequence[int],
    *,
    rates: Sequence[float] = (),
    task: dict[str, Any] | None = None,
    stacked: bool = True,
    change: Change | None = None,
    **changes: Any,
) -> Run:
    """Train the seeds together. `change(replicas, step)` may spoil the stack after every evaluation."""
    config = make_config(**changes)
    members = [
        Member(seed, rate) for seed, rate in zip(seeds, rates or [config.optimizer.lr] * len(seeds), strict=True)
    ]
    run = Run(Trajectory(len(members), maximise=True))
    watcher = Watcher(run, change)

    def watched(networks: Sequence[nn.Module], **options: Any) -> Replicas:
        watcher.replicas = Replicas(networks, **options)
        return watcher.replicas

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_module, "Replicas", watched)
        run.trajectory = fit(
            config,
            make_task(**(task or {})),
            choose_norm(config.norm),
            members,
            stacked=stacked,
            observers=[watcher],
        )
    return run


@pytest.fixture(scope="session")
def train() -> Train:
    """`train_batch`; the same call without a change is trained once."""
    known: dict[str, Run] = {}

    def train_once(seeds: Sequence[int], **options: Any) -> Run:
        if "change" in options:
            return train_batch(seeds, **options)
        key = json.dumps([list(seeds), options], sort_keys=True)
        if key not in known:
            known[key] = train_batch(seeds, **options)
        return known[key]

    return train_once


@pytest.fixture(scope="session")
def configure() -> Callable[..., Config]:
    return make_config


@pytest.fixture(scope="session")
def task_of() -> Callable[..., Task]:
    return make_task


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Numbers, Numbers], None]:
    """Fails unless two replicas agree bit for bit in everything they left behind."""

    def check(one: Numbers, other: Numbers) -> None:
        assert one.keys() == other.keys()
        different = [name for name in one if not np.array_equal(one[name], other[name], equal_nan=True)]
        assert not different, f"differ: {different}"

    return check
