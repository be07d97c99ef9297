"""The one LightningModule: a batch of replicas, trained by automatic optimization."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from bnbench.datasets import Task
from bnbench.training.losses import row_losses
from bnbench.training.optimizers import StackedOptimizer, clip_gradients
from bnbench.training.replicas import Replicas
from bnbench.training.task_tensors import TaskTensors
from bnbench.training.watch import LossWatch


class ReplicaTraining(lightning.LightningModule):
    """Trains a stack of replicas on the rows of a task; a batch is (R, B) row numbers.

    The loss that goes backward is the sum over replicas: the gradient of each is that of training alone.
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
    ) -> None:
        super().__init__()
        self.replicas = replicas
        self.data = TaskTensors(task, on_host=inputs_on_host)
        self.watch = LossWatch(replicas.count)
        self.schedule = schedule
        self._alive: Tensor | None = None
        self._row_losses = row_losses(task.loss)
        self._options = optimizer
        self._learning_rates = learning_rates
        self._optimizer: StackedOptimizer

    def training_step(self, rows: Int64[Tensor, "replicas batch"], batch_idx: int) -> Float[Tensor, ""]:
        """Return the summed loss of the replicas still in the stack."""
        if self._alive is not None:
            rows = rows[self._alive.to(rows.device)]
        inputs, labels = self.data.cut(rows)
        losses = self._row_losses(self.replicas(inputs), labels).mean(1)
        self.watch.add(losses.detach())
        return losses.sum()

    def transfer_batch_to_device(self, batch: Tensor, device: torch.device, dataloader_idx: int) -> Tensor:
        """Leave row numbers on the CPU where the rows are: cut there, they would have to come back."""
        return batch if self.data.inputs_on_host else batch.to(device)

    def configure_optimizers(self) -> Any:
        """Return torch's optimizer over slices of the stacks, and the schedule, stepped every step."""
        # made here and not before: by now Lightning has moved the stacks to their device and precision
        self._optimizer = StackedOptimizer(
            self.replicas.trained, self._options, self._learning_rates, decays=self.replicas.trained_decay
        )
        scheduler = LambdaLR(self._optimizer.torch, self.schedule)
        return {"optimizer": self._optimizer.torch, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip each replica by itself and hand the gradients to the optimizer."""
        if self._options["clip_gradient_norm"] is not None:
            clip_gradients(self._optimizer.stacks, self._options["clip_gradient_norm"])
        self._optimizer.take_gradients()

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Drop the gradients of the stacks, which are not the tensors the optimizer holds."""
        self._optimizer.clear_gradients()

    def keep(self, chosen: Tensor, *, members: Tensor) -> None:
        """Take every replica but the chosen ones out of the stack; `members` are their positions in the full batch."""
        self.replicas.keep(chosen)
        self._optimizer.keep(chosen)
        self.watch.keep(chosen.cpu().numpy())
        self._alive = members.to(self.device)
