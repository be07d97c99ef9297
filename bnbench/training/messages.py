"""What a job and the ranks it started say to each other: one JSON text per line, exact to the last bit of a float."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnbench.config import Config, as_dict, typed_config
from bnbench.training.checkpoint import Checkpoint
from bnbench.training.fit import Member
from bnbench.training.history import Observation, Trajectory

# what a trajectory holds beside its observations, which come one by one
ENDINGS = ("diverged_at_step", "test_metric", "spikes", "max_loss")


# asks all ranks of a batch to leave it together
LEAVE = json.dumps({"leave": True})


def request(
    config: Config, members: Sequence[Member], *, checksum: str, stacked: bool, checkpoint: Checkpoint | None = None
) -> str:
    """Return the line that asks for the training of one batch of replicas."""
    asked = {
        "config": as_dict(config),
        "members": [[member.seed, member.learning_rate] for member in members],
        "checksum": checksum,
        "stacked": stacked,
        "checkpoint": None if checkpoint is None else [str(checkpoint.folder), checkpoint.about],
    }
    return json.dumps(asked)


def read_request(asked: dict[str, Any]) -> tuple[Config, list[Member], str, bool]:
    """Return configuration, members, checksum of the data and whether to stack."""
    members = [Member(seed, rate) for seed, rate in asked["members"]]
    return typed_config(asked["config"]), members, asked["checksum"], asked["stacked"]


def read_checkpoint(asked: dict[str, Any]) -> Checkpoint | None:
    """Return where the state is left and taken up, None where nowhere."""
    if asked["checkpoint"] is None:
        return None
    folder, about = asked["checkpoint"]
    return Checkpoint(Path(folder), about)


def observation_told(observation: Observation) -> dict[str, Any]:
    """Return an evaluation as JSON has it; NaN and infinities stay, as Python writes and reads them."""
    return {name: value if name == "step" else value.tolist() for name, value in vars(observation).items()}


def read_observation(told: dict[str, Any]) -> Observation:
    """Return the evaluation that was told."""
    return Observation(
        step=told["step"],
        members=np.array(told["members"], dtype=np.int64),
        **{
            name: np.array(told[name], dtype=np.float64)
            for name in ("train_loss", "val_loss", "val_metric", "learning_rate")
        },
    )


def ending_told(trajectory: Trajectory) -> dict[str, Any]:
    """Return how a batch of replicas ended, as JSON has it."""
    arrays = {name: getattr(trajectory, name).tolist() for name in ENDINGS}
    return {**arrays, "train_seconds": trajectory.train_seconds, "steps": trajectory.steps}


def read_ending(told: dict[str, Any], trajectory: Trajectory) -> None:
    """Write how a batch of replicas ended into its trajectory."""
    for name in ENDINGS:
        getattr(trajectory, name)[:] = told[name]
    trajectory.train_seconds, trajectory.steps = told["train_seconds"], told["steps"]
