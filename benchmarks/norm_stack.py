"""R replicas under one norm, taken apart: forward, backward and inference by themselves, and the memory of a step."""

from torch import Tensor

from benchmarks.bnbench_loop import loop_config
from benchmarks.workload import Clock
from bnbench.datasets import Task
from bnbench.norms import choose_norm
from bnbench.training.costs import SteppedStack
from bnbench.training.losses import row_losses

WARM_UP_STEPS = 3


class NormStack:
    """The network of R seeds, on one batch of their own each."""

    def __init__(self, task: Task, norm: str, *, replicas: int) -> None:
        config = loop_config(1, norm=norm)
        self._stack = SteppedStack(config, task, choose_norm(config.norm), seeds=range(replicas))
        self._row_losses = row_losses(task.loss)

    def seconds(self, steps: int) -> dict[str, float]:
        """Return the processor time of one forward (to the loss), one backward and one inference, after a warm-up."""
        for _ in range(WARM_UP_STEPS):
            self._loss().backward()
        found = dict.fromkeys(("forward", "backward", "inference"), 0.0)
        for _ in range(steps):
            self._stack.clear()
            clock = _started()
            loss = self._loss()
            found["forward"] += clock.stop().cpu_seconds
            clock.start()
            loss.backward()
            found["backward"] += clock.stop().cpu_seconds
        self._stack.clear()
        for step in range(-WARM_UP_STEPS, steps):
            clock = _started()
            self._stack.infer()
            seconds = clock.stop().cpu_seconds
            found["inference"] += seconds if step >= 0 else 0.0
        return {part: total / steps for part, total in found.items()}

    def peak_bytes(self) -> int:
        """Return the memory of a training step, rows gathered for it included, the data not."""
        return self._stack.peak_bytes()

    def _loss(self) -> Tensor:
        replicas = self._stack.module.replicas.train()
        return self._row_losses(replicas(self._stack.inputs), self._stack.labels).mean(1).sum()


def _started() -> Clock:
    clock = Clock()
    clock.start()
    return clock
