"""An independent plain loop in float64 (own network, torch.optim, one seed at a time) arrives at the same numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bnbench.datasets import Task
from bnbench.datasets.task import LOSSES
from bnbench.norms import NORMS
from bnbench.seeding import generator, global_stream, key_random_streams

STEPS, EVERY, BATCH, LR, DECAY = 25, 10, 16, 0.03, 0.1
HIDDEN = (36, 12)


class PlainNetwork(nn.Module):
    """Linear, norm, tanh for every hidden width, then a Linear; He weights drawn from the seed's own streams."""

    def __init__(self, task: Task, norm: str, seed: int) -> None:
        super().__init__()
        widths = (task.num_features, *HIDDEN)
        chosen = NORMS.get(norm)
        self.hidden = nn.ModuleList()
        for number, (inputs, outputs) in enumerate(zip(widths, HIDDEN, strict=False)):
            linear = self._linear(inputs, outputs, seed, f"hidden.{number}.linear")
            if chosen.kind == "weight":
                with global_stream(seed, "norm", f"hidden.{number}.linear"):
                    self.hidden.append(nn.Sequential(chosen.factory(linear), nn.Tanh()))
            else:
                # its threshold is the only nonlinearity
                activation = nn.Identity() if norm == "filter_response" else nn.Tanh()
                layer = chosen.factory(outputs)
                # a norm's own draws are those of its place in our network
                place = nn.ModuleDict({"hidden": nn.ModuleDict({str(number): nn.ModuleDict({"norm": layer})})})
                key_random_streams(place, seed)
                self.hidden.append(nn.Sequential(linear, layer, activation))
        self.output = self._linear(widths[-1], task.num_outputs, seed, "output")
        self.double()

    @staticmethod
    def _linear(inputs: int, outputs: int, seed: int, place: str) -> nn.Linear:
        linear = nn.Linear(inputs, outputs)
        nn.init.zeros_(linear.bias)
        stream = generator(seed, "initialisation", place)
        nn.init.normal_(linear.weight, 0.0, math.sqrt(2 / inputs), generator=stream)
        return linear

    def forward(self, inputs: Tensor) -> Tensor:
        for block in self.hidden:
            inputs = block(inputs)
        return self.output(inputs)


def plain_optimizer(name: str, network: nn.Module) -> torch.optim.Optimizer:
    weights = [parameter for parameter in network.parameters() if parameter.dim() == 2]
    others = [parameter for parameter in network.parameters() if parameter.dim() != 2]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    if name in ("sgd", "momentum"):
        return torch.optim.SGD(groups, lr=LR, momentum=0.9 if name == "momentum" else 0.0, foreach=False)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](groups, lr=LR, foreach=False)


def batches(num_rows: int, seed: int) -> list[Tensor]:
    stream = generator(seed, "data order")
    permutations = [torch.randperm(num_rows, generator=stream) for _ in range(STEPS * BATCH // num_rows + 1)]
    return list(torch.cat(permutations)[: STEPS * BATCH].split(BATCH))


@dataclass
class Loss:
    """Mean loss of a part of the data, and the metric on it."""

    task: Task

    def rows(self, outputs: Tensor, labels: Tensor) -> Tensor:
        if self.task.loss == "cross_entropy":
            return -functional.log_softmax(outputs, 1)[torch.arange(len(labels)), labels]
        if self.task.loss == "binary":
            return functional.binary_cross_entropy_with_logits(outputs[:, 0], labels.double(), reduction="none")
        error = (outputs[:, 0] - labels).abs()
        return error**2 if self.task.loss == "mse" else torch.where(error < 1, error**2 / 2, error - 0.5)

    def metric(self, outputs: Tensor, labels: Tensor) -> float:
        if self.task.loss == "binary":
            return float(((outputs[:, 0] > 0) == labels.bool()).double().mean())
        if self.task.kind == "classification":
            return float((outputs.argmax(1) == labels).double().mean())
        return float(((outputs[:, 0] - labels) ** 2).mean().sqrt()) * self.task.label_scale


def plain_rows(task: Task, norm: str, optimizer_name: str, seed: int) -> npt.NDArray[np.float64]:
    network, loss = PlainNetwork(task, norm, seed), Loss(task)
    optimizer = plain_optimizer(optimizer_name, network)
    labels_of = {
        part: getattr(task, f"{part}_labels").double() if task.kind == "regression" else getattr(task, f"{part}_labels")
        for part in ("train", "validation")
    }
    rows, window = [], []
    for step in range(STEPS + 1):
        factor = 0.5 * (1 + math.cos(math.pi * step / STEPS))
        if step % EVERY == 0 or step == STEPS:
            network.eval()
            with torch.no_grad():
                outputs = network(task.validation_inputs.double())
                value = float(loss.rows(outputs, labels_of["validation"]).mean())
            mean = np.mean(window) if window else np.nan
            rows.append([step, mean, value, loss.metric(outputs, labels_of["validation"]), LR * factor])
            network.train()
            window = []
        if step == STEPS:
            return np.array(rows)
        for group in optimizer.param_groups:
            group["lr"] = LR * factor
        chosen = batches(len(task.train_inputs), seed)[step]
        batch_loss = loss.rows(network(task.train_inputs[chosen].double()), labels_of["train"][chosen]).mean()
        window.append(batch_loss.item())
        optimizer.zero_grad()
        batch_loss.backward()
        optimizer.step()
    raise AssertionError("the last step returns")


CASES = [(norm, "momentum", 3, None) for norm in NORMS.names()]
CASES += [("layer", optimizer, 1, None) for optimizer in ("sgd", "momentum", "adam", "adamw")]
CASES += [("batch", "sgd", 1, None), ("none", "adamw", 3, None), ("weight", "adam", 3, None)]
CASES += [("batch", "sgd", 2 if LOSSES[loss] == "classification" else 1, loss) for loss in LOSSES]


@pytest.mark.parametrize(("norm", "optimizer", "outputs", "loss"), CASES)
def test_plain_loop_arrives_at_the_same_losses_and_metrics(
    train: Callable[..., Any], task_of: Callable[..., Task], norm: str, optimizer: str, outputs: int, loss: str | None
) -> None:
    run = train(
        [0, 3],
        norm=norm,
        task={"outputs": outputs, "loss": loss},
        model__hidden=list(HIDDEN),
        model__activation="tanh",
        optimizer__name=optimizer,
        optimizer__lr=LR,
        optimizer__weight_decay=DECAY,
        budget__max_steps=STEPS,
        budget__eval_every_steps=EVERY,
        budget__batch_size=BATCH,
        trainer__precision="64",
    )
    for place, seed in enumerate((0, 3)):
        expected = plain_rows(task_of(outputs=outputs, loss=loss), norm, optimizer, seed)
        np.testing.assert_allclose(run.rows(place), expected, rtol=1e-9, atol=1e-12)
