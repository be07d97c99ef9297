"""What no implementation of these layers as batched products can do without."""

from itertools import pairwise

import torch

from benchmarks.workload import BATCH_SIZE, LEARNING_RATE, WIDTHS, Clock, Cost, in_memory
from bnbench.datasets import Task

WARM_UP_STEPS = 5


class Floor:
    """The gather, the matrix products and the optimizer's traffic of R replicas alone, into memory made beforehand.

    No bias, norm, activation, loss or graph; nothing depends on anything, and nothing is allocated in a step.
    """

    def __init__(self, replicas: int) -> None:
        sizes = list(pairwise(WIDTHS))
        self.weights = [0.01 * torch.randn(replicas, width, before) for before, width in sizes]
        self.weight_gradients = [torch.zeros_like(weight) for weight in self.weights]
        self.activations = [torch.zeros(replicas, BATCH_SIZE, width) for width in WIDTHS]
        self.gradients = [torch.zeros(replicas, BATCH_SIZE, width) for width in WIDTHS]

    @torch.no_grad()
    def step(self, inputs: torch.Tensor, rows: torch.Tensor) -> None:
        """Do the work of one step on (R · B,) rows."""
        torch.index_select(inputs, 0, rows, out=self.activations[0].view(-1, WIDTHS[0]))
        for layer, weight in enumerate(self.weights):
            torch.bmm(self.activations[layer], weight.transpose(1, 2), out=self.activations[layer + 1])
        for layer in reversed(range(len(self.weights))):
            gradient = self.gradients[layer + 1]
            torch.bmm(gradient.transpose(1, 2), self.activations[layer], out=self.weight_gradients[layer])
            if layer:
                torch.bmm(gradient, self.weights[layer], out=self.gradients[layer])
        for weight, weight_gradient in zip(self.weights, self.weight_gradients, strict=True):
            weight.add_(weight_gradient, alpha=-LEARNING_RATE)


def floor_loop(task: Task, steps: int, *, replicas: int) -> Cost:
    """Measure the floor of R replicas."""
    floor = Floor(replicas)
    orders = torch.stack([torch.randperm(len(task.train_inputs)) for _ in range(replicas)])
    last = len(task.train_inputs) - BATCH_SIZE + 1
    clock = Clock()
    for step in range(WARM_UP_STEPS + steps):
        if step == WARM_UP_STEPS:
            clock.start()
        start = step * BATCH_SIZE % last
        floor.step(in_memory(task.train_inputs), orders[:, start : start + BATCH_SIZE].flatten())
    return clock.stop()
