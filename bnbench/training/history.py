"""What a batch of replicas leaves behind: one row per (replica, evaluation), and how each replica ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bnbench.training.diagnostics.readings import Diagnosed

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Observation:
    """One evaluation: arrays over the replicas that were alive, `members` being their positions in the batch."""

    step: int
    members: Integers
    train_loss: Floats
    val_loss: Floats
    val_metric: Floats
    learning_rate: Floats


# of an observation, beside its step: arrays over the replicas that were alive
COLUMNS = ("members", "train_loss", "val_loss", "val_metric", "learning_rate")
# of a trajectory, beside its observations
BY_REPLICA = ("diverged_at_step", "best_metric", "best_step", "last_metric", "last_train_loss", "test_metric")


@dataclass
class Trajectory:
    """Everything recorded of a batch of replicas, by position in the batch."""

    count: int
    maximise: bool
    observations: list[Observation] = field(default_factory=list)
    diverged_at_step: Integers = field(init=False)
    best_metric: Floats = field(init=False)
    best_step: Integers = field(init=False)
    last_metric: Floats = field(init=False)
    last_train_loss: Floats = field(init=False)
    test_metric: Floats = field(init=False)
    spikes: Integers = field(init=False)
    max_loss: Floats = field(init=False)
    train_seconds: float = 0.0
    steps: int = 0
    diagnosed: Diagnosed | None = None

    def __post_init__(self) -> None:
        self.diverged_at_step = np.zeros(self.count, dtype=np.int64)  # 0: never
        self.best_step = np.zeros(self.count, dtype=np.int64)
        self.spikes = np.zeros(self.count, dtype=np.int64)
        for name in ("best_metric", "last_metric", "last_train_loss", "test_metric", "max_loss"):
            setattr(self, name, np.full(self.count, np.nan))

    def add(self, observation: Observation) -> Integers:
        """Take an evaluation; return the positions of the replicas that were never better."""
        members, metric = observation.members, observation.val_metric
        self.observations.append(observation)
        self.last_metric[members] = metric
        self.last_train_loss[members] = observation.train_loss
        best = self.best_metric[members]
        better = np.isnan(best) & ~np.isnan(metric) | (metric > best if self.maximise else metric < best)
        if observation.step == 0:
            better = np.ones_like(better)  # every replica has a best state from the start, however bad
        improved: Integers = members[better]
        self.best_metric[improved] = metric[better]
        self.best_step[improved] = observation.step
        return improved

    def state(self) -> dict[str, Tensor]:
        """Return everything that was recorded so far; the observations one after another."""
        observed = {name: [getattr(each, name) for each in self.observations] for name in COLUMNS}
        numbers = {
            "observed.step": np.array([each.step for each in self.observations], dtype=np.int64),
            "observed.alive": np.array([len(each.members) for each in self.observations], dtype=np.int64),
            **{f"observed.{name}": np.concatenate([[], *arrays]) for name, arrays in observed.items()},
            **{name: getattr(self, name) for name in BY_REPLICA},
            "train_seconds": np.array(self.train_seconds),
            "steps": np.array(self.steps),
        }
        return {name: torch.from_numpy(values) for name, values in numbers.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Hold what was recorded until then."""
        counts = state["observed.alive"].tolist()
        columns = {name: [part.numpy() for part in state[f"observed.{name}"].split(counts)] for name in COLUMNS}
        columns["members"] = [members.astype(np.int64) for members in columns["members"]]
        self.observations = [
            Observation(step, **{name: arrays[place] for name, arrays in columns.items()})
            for place, step in enumerate(state["observed.step"].tolist())
        ]
        for name in BY_REPLICA:
            getattr(self, name)[:] = state[name].numpy()
        self.train_seconds, self.steps = float(state["train_seconds"]), int(state["steps"])
