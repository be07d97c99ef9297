"""Small networks of which only scale-invariant weights train, all replicas at once, by bnbench's own parts."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from bnbench.config import ModelConfig
from bnbench.datasets import DatasetConfig, MappedRows, Task, load
from bnbench.models import build_network
from bnbench.norms import choose_norm
from bnbench.training.data_order import DataOrder
from bnbench.training.losses import row_losses
from bnbench.training.optimizers import StackedOptimizer
from bnbench.training.replicas import Replicas

# ε → 0 and no γ and β: what a Linear before it computes does not depend on the length of any of its rows. Without
# running statistics an evaluation normalizes by the rows it is given, which sees no length either.
BATCH_NORM = {"name": "batch", "affine": False, "eps": 1e-30, "running_statistics": False}


def digits() -> Task:
    """Return the handwritten digits, 64 pixels in [0, 1] and 10 classes."""
    return load(DatasetConfig(name="digits", source="scikit_learn", preprocessing="scale"))


def rows_of(inputs: Tensor | MappedRows) -> Tensor:
    """Return inputs that lie in memory."""
    return inputs if isinstance(inputs, Tensor) else inputs[:]


def scale_invariant_networks(
    seeds: Sequence[int], *, task: Task, hidden: Sequence[int], dtype: torch.dtype
) -> Replicas:
    """Return a stack with one network per seed: Linear, batch norm, ReLU, and a fixed Linear for the outputs."""
    model = asdict(ModelConfig(name="mlp", hidden=list(hidden)))
    networks = []
    for seed in seeds:
        network = build_network(
            model, num_inputs=task.num_features, num_outputs=task.num_outputs, norm=choose_norm(BATCH_NORM), seed=seed
        )
        for name, parameter in network.named_parameters():
            # biases before batch norm change nothing
            parameter.requires_grad_(name.startswith("hidden.") and name.endswith("weight"))
        networks.append(network)
    return Replicas(networks, seeds=seeds).to(dtype)


def train(
    replicas: Replicas,
    *,
    task: Task,
    seeds: Sequence[int],
    optimizer: dict[str, Any],
    learning_rates: Sequence[float],
    schedule: Callable[[int], float],
    batch_size: int,
    max_steps: int,
    before: Callable[[StackedOptimizer], None] = lambda optimizer: None,
    after_step: Callable[[int], None] = lambda step: None,
) -> None:
    """Train by minibatches in each seed's own order.

    The learning rate of a step is that of the replica times `schedule(steps already made)`. `before` is called with the
    optimizer before the first step, `after_step` with the number of steps made after each.
    """
    stepper = StackedOptimizer(replicas.trained, optimizer, learning_rates, decays=replicas.trained_decay)
    before(stepper)
    base_rates = [group["lr"] for group in stepper.torch.param_groups]
    dtype = replicas.trained[0].dtype
    inputs, labels = rows_of(task.train_inputs).to(dtype), task.train_labels
    order, losses_of = DataOrder(seeds, num_rows=len(labels), batch_size=batch_size), row_losses(task.loss)
    replicas.train()
    for step in range(max_steps):
        rows = order.next_batch()
        for group, rate in zip(stepper.torch.param_groups, base_rates, strict=True):
            group["lr"] = rate * schedule(step)
        losses_of(replicas(inputs[rows]), labels[rows]).mean(1).sum().backward()
        stepper.take_gradients()
        stepper.torch.step()
        stepper.clear_gradients()
        after_step(step + 1)
