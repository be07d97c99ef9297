"""Moments of small networks in training, that the tests of diagnostics share."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from bnbench.config import Config
from bnbench.datasets import Task
from bnbench.norms import choose_norm
from bnbench.training.data_order import DataOrder
from bnbench.training.diagnostics.moment import Batch, Moment
from bnbench.training.diagnostics.network import network_in
from bnbench.training.fit import network_of
from bnbench.training.losses import row_losses
from bnbench.training.replicas import Replicas

MomentOf = Callable[..., Moment]


@pytest.fixture(scope="session")
def moment_of(configure: Callable[..., Config], task_of: Callable[..., Task]) -> MomentOf:
    """The moment after so many plain steps: `moment_of(norm, seeds=…, steps=…, dtype=…, task={…}, **changes)`."""

    def make(
        norm: str = "none",
        *,
        seeds: Sequence[int] = (0, 1, 2),
        steps: int = 0,
        dtype: torch.dtype = torch.float64,
        task: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Moment:
        config, data = configure(norm, **changes), task_of(**(task or {}))
        chosen, rate = choose_norm(config.norm), config.optimizer.lr
        replicas = Replicas([network_of(config, data, chosen, seed) for seed in seeds], seeds=seeds).to(dtype)
        inputs = data.train_inputs.to(dtype)
        labels = data.train_labels if data.num_outputs > 1 else data.train_labels.to(dtype)
        order = DataOrder(seeds, num_rows=len(inputs), batch_size=config.budget.batch_size)
        rows, before = order.next_batch(), None
        for step in range(steps):
            rows = rows if step == 0 else order.next_batch()
            before = {
                name: stack.detach().clone()
                for name, stack in zip(replicas.parameter_names, replicas.parameters_stacked, strict=True)
                if stack.requires_grad
            }
            losses = row_losses(data.loss)(replicas(inputs[rows]), labels[rows]).mean(1)
            gradients = torch.autograd.grad(losses.sum(), replicas.trained, allow_unused=True)
            with torch.no_grad():
                for stack, gradient in zip(replicas.trained, gradients, strict=True):
                    stack.sub_(rate * (0 if gradient is None else gradient))
        return Moment(
            step=steps,
            network=network_in(replicas, config, chosen, loss=data.loss),
            seeds=tuple(seeds),
            learning_rates=torch.full((len(seeds),), rate, dtype=dtype),
            probe=Batch(inputs[:48], labels[:48]),
            minibatch=Batch(inputs[rows], labels[rows]),
            weights_before=before,
            memory={},
            replicas=replicas,
        )

    return make
