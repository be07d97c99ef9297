"""R replicas under one norm, taken apart: forward, backward and inference by themselves, and the memory of a step."""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.bnbench_loop import loop_config
from benchmarks.workload import BATCH_SIZE, LEARNING_RATE, Clock
from bnbench.datasets import Task
from bnbench.norms import choose_norm
from bnbench.training.fit import network_of
from bnbench.training.losses import row_losses
from bnbench.training.optimizers import StackedOptimizer
from bnbench.training.replicas import Replicas

WARM_UP_STEPS = 3


class NormStack:
    """The network of R seeds, on one batch of their own each."""

    def __init__(self, task: Task, norm: str, *, replicas: int) -> None:
        config = loop_config(1, norm=norm)
        seeds = range(replicas)
        networks = [network_of(config, task, choose_norm(config.norm), seed) for seed in seeds]
        self.replicas = Replicas(networks, stacked=True, seeds=seeds)
        self.optimizer = StackedOptimizer(
            self.replicas.trained,
            asdict(config.optimizer),
            [LEARNING_RATE] * replicas,
            decays=self.replicas.trained_decay,
        )
        self._train_inputs = task.train_inputs[: replicas * BATCH_SIZE]
        self._rows = torch.arange(replicas * BATCH_SIZE).view(replicas, BATCH_SIZE) % len(self._train_inputs)
        self._inputs, self._labels = self._train_inputs[self._rows], task.train_labels[self._rows]
        self._row_losses = row_losses(task.loss)

    def seconds(self, steps: int) -> dict[str, float]:
        """Return the processor time of one forward (to the loss), one backward and one inference, after a warm-up."""
        for _ in range(WARM_UP_STEPS):
            self._loss(self._inputs).backward()
        found = dict.fromkeys(("forward", "backward", "inference"), 0.0)
        for _ in range(steps):
            self.optimizer.clear_gradients()
            clock = _started()
            loss = self._loss(self._inputs)
            found["forward"] += clock.stop().cpu_seconds
            clock.start()
            loss.backward()
            found["backward"] += clock.stop().cpu_seconds
        self.optimizer.clear_gradients()
        for step in range(-WARM_UP_STEPS, steps):
            clock = _started()
            self._infer()
            seconds = clock.stop().cpu_seconds
            found["inference"] += seconds if step >= 0 else 0.0
        return {part: total / steps for part, total in found.items()}

    def peak_bytes(self) -> int:
        """Return parameters, buffers and the most that the tensors of one step take at any moment of it.

        By torch's own profiler of allocations: unlike the size of the process it repeats from run to run, and is not
        buried under the libraries loaded. Left out are the data and what the libraries' products need inside.
        """
        self.step()  # what is made once, and the optimizer's own state
        held = [*self.replicas.parameters_stacked, *self.replicas.buffers_stacked]
        return sum(tensor.nbytes for tensor in held) + _most_allocated(self.step)

    def step(self) -> None:
        """Do one training step, with rows gathered for it."""
        self._loss(self._train_inputs[self._rows]).backward()
        self.optimizer.take_gradients()
        self.optimizer.torch.step()
        self.optimizer.clear_gradients()

    def _loss(self, inputs: Tensor) -> Tensor:
        self.replicas.train()
        return self._row_losses(self.replicas(inputs), self._labels).mean(1).sum()

    @torch.no_grad()
    def _infer(self) -> None:
        self.replicas.eval()(self._inputs)


def _started() -> Clock:
    clock = Clock()
    clock.start()
    return clock


def _most_allocated(run: Callable[[], None]) -> int:
    """Return the most bytes of torch's memory taken during a call and not yet given back."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces its start and end otherwise
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as taken:
        run()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        taken.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    now = most = 0
    for event in sorted((each for each in events if each["name"] == "[memory]"), key=lambda each: each["ts"]):
        now += event["args"]["Bytes"]
        most = max(most, now)
    return most
