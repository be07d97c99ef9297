"""A stack of replicas on the real training path, without the loop, data and evaluations around its steps."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from bnbench.config import Config, budget_of
from bnbench.datasets import Task
from bnbench.norms import ChosenNorm
from bnbench.training.allocation import keep_freed_memory
from bnbench.training.costs.allocations import most_allocated
from bnbench.training.fit import PRECISIONS, network_of
from bnbench.training.module import ReplicaTraining
from bnbench.training.replicas import Replicas
from bnbench.training.schedules import schedule_factor

CPU = torch.device("cpu")
# so small that the weights stay what they were: what a step costs must not hang on where a learning rate leads
LEARNING_RATE = 1e-9


class SteppedStack:
    """The networks of some seeds under one norm, each on one batch of its own, stepped by hand."""

    def __init__(
        self,
        config: Config,
        task: Task,
        norm: ChosenNorm,
        *,
        seeds: Sequence[int] = (0,),
        stacked: bool = True,
        device: torch.device = CPU,
    ) -> None:
        networks = [network_of(config, task, norm, seed) for seed in seeds]
        self.num_parameters = sum(parameter.numel() for parameter in networks[0].parameters())
        self.module = ReplicaTraining(
            Replicas(networks, stacked=stacked, seeds=seeds),
            task,
            optimizer=asdict(config.optimizer),
            learning_rates=[LEARNING_RATE] * len(seeds),
            schedule=schedule_factor(asdict(config.schedule), max_steps=budget_of(config).max_steps),
        )
        self.module.to(device=device, dtype=PRECISIONS[config.trainer.precision].dtype)
        self._in_half = config.trainer.precision == "bf16"
        made: dict[str, Any] = self.module.configure_optimizers()
        self._optimizer: torch.optim.Optimizer = made["optimizer"]
        self._schedule = made["lr_scheduler"]["scheduler"]
        batch_size = budget_of(config).batch_size
        count = len(seeds) * batch_size
        self._rows = (torch.arange(count) % len(task.train_inputs)).view(len(seeds), batch_size).to(device)
        self.inputs, self.labels = self.module.data.cut(self._rows)
        self.device = device
        keep_freed_memory()

    def step(self) -> None:
        """Do one training step: the batch cut, forward, backward, clipping, optimizer, schedule."""
        self.forward().backward()
        self.module.on_before_optimizer_step(self._optimizer)
        self._optimizer.step()
        self._schedule.step()
        self.clear()

    def forward(self) -> Tensor:
        """Return the loss of the batch, summed over the replicas."""
        self.module.replicas.train()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._in_half):
            return self.module.training_step(self._rows, 0)

    def clear(self) -> None:
        """Forget the gradients, and the losses kept for the next evaluation."""
        self.module.optimizer_zero_grad(0, 0, self._optimizer)
        self.module.watch.clear()

    @torch.no_grad()
    def infer(self) -> None:
        """Compute the outputs of the batch in evaluation mode."""
        self.module.replicas.eval()(self.inputs)

    def peak_bytes(self) -> int:
        """Return what parameters, buffers and the optimizer's state take, and the most that a step takes besides.

        The data are left out. On a CPU it is the same every time.
        """
        self.step()  # makes the optimizer's state, and what a norm makes once
        state = [value for held in self._optimizer.state.values() for value in held.values()]
        # a slice of a stack shares its memory
        parameters = [parameter for group in self._optimizer.param_groups for parameter in group["params"]]
        replicas = self.module.replicas
        held = [*replicas.parameters_stacked, *replicas.buffers_stacked, *parameters, *state]
        storages = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for tensor in held
            if isinstance(tensor, Tensor)
        }
        return sum(storages.values()) + most_allocated(self.step, device=self.device)
