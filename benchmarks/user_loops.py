"""What a user would write instead: a Lightning loop, and a loop in plain PyTorch. One seed each."""

import logging
import tempfile
import warnings
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from benchmarks.workload import BATCH_SIZE, LEARNING_RATE, WIDTHS, Clock, Cost, in_memory, plain_network
from bnbench.datasets import Task

WARM_UP_STEPS = 20


class UserModule(lightning.LightningModule):
    """The module of the Lightning guide: `self.log` of the loss and the accuracy of every minibatch."""

    def __init__(self, accuracy: nn.Module | None) -> None:
        super().__init__()
        self.network = plain_network()
        self.accuracy = accuracy

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        inputs, labels = batch
        outputs = self.network(inputs)
        loss = functional.cross_entropy(outputs, labels)
        if self.accuracy is None:
            accuracy: Any = (outputs.argmax(1) == labels).float().mean()
        else:
            self.accuracy(outputs, labels)
            accuracy = self.accuracy
        self.log("train_loss", loss)
        self.log("train_accuracy", accuracy)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=LEARNING_RATE)


class WindowClock(lightning.Callback):
    """Measures the steps after the warm-up."""

    def __init__(self, steps: int) -> None:
        self.last_step = WARM_UP_STEPS + steps
        self.clock = Clock()
        self.cost: Cost | None = None

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Start or stop the clock where a step ended."""
        if trainer.global_step == WARM_UP_STEPS:
            self.clock.start()
        elif trainer.global_step == self.last_step:
            self.cost = self.clock.stop()


def lightning_loop(task: Task, steps: int, *, torchmetrics: bool) -> Cost:
    """Measure a LightningModule with a DataLoader, `self.log` and a CSV logger; no progress bar, no checkpoints."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    module = UserModule(MulticlassAccuracy(WIDTHS[-1]) if torchmetrics else None)
    clock = WindowClock(steps)
    rows = TensorDataset(in_memory(task.train_inputs), task.train_labels)
    loader = DataLoader(rows, batch_size=BATCH_SIZE, shuffle=True)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # data in memory need no worker processes, and a short window holds fewer steps than lie between two rows of CSV
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", message=".*`srun` command is available.*")
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            max_steps=clock.last_step,
            callbacks=[clock],
            logger=CSVLogger(folder),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)
    if clock.cost is None:
        raise RuntimeError(f"the Lightning loop ended before step {clock.last_step}")
    return clock.cost


def raw_loop(task: Task, steps: int) -> Cost:
    """Measure a loop in plain PyTorch: a permutation cut into batches, forward, backward, step; nothing logged."""
    network = plain_network()
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    inputs, labels = in_memory(task.train_inputs), task.train_labels
    rows = torch.randperm(len(inputs))
    clock = Clock()
    for step in range(WARM_UP_STEPS + steps):
        if step == WARM_UP_STEPS:
            clock.start()
        start = step * BATCH_SIZE % (len(rows) - BATCH_SIZE + 1)
        batch = rows[start : start + BATCH_SIZE]
        loss = functional.cross_entropy(network(inputs[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return clock.stop()
