"""The work every contestant does: one network, one data set, one batch size; and the clock it is measured by."""

import time
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from bnbench.datasets import MappedRows, Task

WIDTHS = (784, 100, 100, 100, 10)
BATCH_SIZE = 60
LEARNING_RATE = 0.1
# as many as Fashion-MNIST has: the rows of a batch come from main memory, not from a cache
NUM_ROWS = 60_000
EVALUATION_ROWS = 64
THREADS = 1


@dataclass(frozen=True)
class Cost:
    """What a measured window took, of processor time of the whole process and on the wall."""

    cpu_seconds: float
    wall_seconds: float


class Clock:
    """Measures processor time and wall time between `start` and `stop`."""

    def start(self) -> None:
        """Begin the window."""
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def stop(self) -> Cost:
        """End the window and return what it took."""
        return Cost(time.process_time() - self._cpu, time.perf_counter() - self._wall)


def make_task(num_rows: int = NUM_ROWS) -> Task:
    """Return random inputs in [0, 1) with random labels: the cost of a step does not depend on their values."""
    generator = torch.Generator().manual_seed(0)

    def part(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = torch.rand(rows, WIDTHS[0], generator=generator)
        return inputs, torch.randint(WIDTHS[-1], (rows,), generator=generator)

    train, validation, test = part(num_rows), part(EVALUATION_ROWS), part(EVALUATION_ROWS)
    return Task(
        name="random",
        kind="classification",
        train_inputs=train[0],
        train_labels=train[1],
        validation_inputs=validation[0],
        validation_labels=validation[1],
        test_inputs=test[0],
        test_labels=test[1],
        num_features=WIDTHS[0],
        num_outputs=WIDTHS[-1],
        loss="cross_entropy",
        metric_name="accuracy",
        direction="max",
        trivial=0.1,
        label_scale=1.0,
        targets=None,
        checksum="",
    )


def in_memory(inputs: torch.Tensor | MappedRows) -> torch.Tensor:
    """Return inputs that are a tensor, as those of `make_task` are."""
    if isinstance(inputs, MappedRows):
        raise TypeError("expected rows in memory")
    return inputs


def plain_network() -> nn.Sequential:
    """Return the network as a user would write it."""
    layers: list[nn.Module] = []
    for before, width in pairwise(WIDTHS[:-1]):
        layers += [nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTHS[-2], WIDTHS[-1]))
