"""The one LightningModule: a batch of replicas, trained by automatic optimization."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from bnbench.datasets import Task
from bnbench.training.group import ALONE, Group
from bnbench.training.losses import row_losses
from bnbench.training.optimizers import StackedOptimizer, clip_gradients
from bnbench.training.replicas import Replicas
from bnbench.training.task_tensors import TaskTensors
from bnbench.training.watch import LossWatch


class ReplicaTraining(lightning.LightningModule):
    """Trains a stack of replicas on the rows of a task; a batch is (R, B) row numbers.

    The loss that goes backward is the sum over replicas: the gradient of each is that of training alone. Where a group
    of ranks trains them, each takes its rows of every batch and its part of the mean over the whole batch; losses and
    gradients are then added up. Not by torch's DistributedDataParallel, to which a parameter is of one shape for good:
    here replicas that diverge leave.
    """

    def __init__(
        self,
        replicas: Replicas,
        task: Task,
        *,
        optimizer: Mapping[str, Any],
        learning_rates: Sequence[float],
        schedule: Callable[[int], float],
        inputs_on_host: bool = False,
        group: Group = ALONE,
    ) -> None:
        super().__init__()
        self.replicas = replicas
        self.data = TaskTensors(task, on_host=inputs_on_host)
        self.group = group
        self.watch = LossWatch(replicas.count, total=group.sum)
        self.schedule = schedule
        self._alive: Tensor | None = None
        self._row_losses = row_losses(task.loss)
        self._options = optimizer
        self._learning_rates = learning_rates
        self.optimizer: StackedOptimizer
        self._scheduler: LambdaLR

    def training_step(self, rows: Int64[Tensor, "replicas batch"], batch_idx: int) -> Float[Tensor, ""]:
        """Return the summed loss of the replicas still in the stack."""
        if self._alive is not None:
            rows = rows[self._alive.to(rows.device)]
        losses = self._spread_losses(rows) if self.group.is_spread else self._losses(rows).mean(1)
        self.watch.add(losses.detach())
        return losses.sum()

    def _losses(self, rows: Int64[Tensor, "replicas batch"]) -> Float[Tensor, "replicas batch"]:
        inputs, labels = self.data.cut(rows)
        return self._row_losses(self.replicas(inputs), labels)

    def _spread_losses(self, rows: Int64[Tensor, "replicas batch"]) -> Float[Tensor, " replicas"]:
        if self.group.local_statistics:
            # running statistics are the first rank's, as they are in evaluation: some norms train with them
            self.group.take_from_first(self.replicas.buffers_stacked)
        batch_size = rows.shape[1]
        return self._losses(rows[:, self.group.own_rows(batch_size)]).sum(1) / batch_size

    def transfer_batch_to_device(self, batch: Tensor, device: torch.device, dataloader_idx: int) -> Tensor:
        """Leave row numbers on the CPU where the rows are: cut there, they would have to come back."""
        return batch if self.data.inputs_on_host else batch.to(device)

    def configure_optimizers(self) -> Any:
        """Return torch's optimizer over slices of the stacks, and the schedule, stepped every step."""
        # made here and not before: by now Lightning has moved the stacks to their device and precision
        self.optimizer = StackedOptimizer(
            self.replicas.trained, self._options, self._learning_rates, decays=self.replicas.trained_decay
        )
        self._scheduler = LambdaLR(self.optimizer.torch, self.schedule)
        return {"optimizer": self.optimizer.torch, "lr_scheduler": {"scheduler": self._scheduler, "interval": "step"}}

    def go_on_after(self, step: int) -> None:
        """Set the learning rates to those after so many steps."""
        self._scheduler.last_epoch = step
        for group in self.optimizer.torch.param_groups:
            group["lr"] = group["initial_lr"] * self.schedule(step)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Add up the gradients of all ranks, clip each replica by itself and hand them to the optimizer."""
        self.group.sum_gradients(self.optimizer.stacks)
        if self._options["clip_gradient_norm"] is not None:
            clip_gradients(self.optimizer.stacks, self._options["clip_gradient_norm"])
        self.optimizer.take_gradients()

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Drop the gradients of the stacks, which are not the tensors the optimizer holds."""
        self.optimizer.clear_gradients()

    def keep(self, chosen: Tensor, *, members: Tensor) -> None:
        """Take every replica but the chosen ones out of the stack; `members` are their positions in the full batch."""
        self.replicas.keep(chosen)
        self.optimizer.keep(chosen)
        self.watch.keep(chosen.cpu().numpy())
        self._alive = members.to(self.device)
