"""Batch norms that keep their state, or draw, where they should not, each in one way."""

import copy
import random
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bnbench.seeding import CounterRandom


class Centring(nn.Module):
    """A right norm, to be spoiled: batch mean off in training, running mean off in evaluation."""

    running_mean: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        mean = values.mean(0) if self.training else self.running_mean
        if self.training:
            self.remember(mean.detach())
        return ((values - mean) * self.weight).to(inputs.dtype)

    def remember(self, mean: Tensor) -> None:
        self.running_mean.mul_(0.9).add_(0.1 * mean)


class PlainAttribute(Centring):
    """The running mean is no buffer."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        del self.running_mean
        self.running_mean = torch.zeros(num_features)

    def remember(self, mean: Tensor) -> None:
        self.running_mean = 0.9 * self.running_mean + 0.1 * mean


class NotPersistent(Centring):
    """The running mean is left out of state_dict."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.register_buffer("running_mean", torch.zeros(num_features), persistent=False)


class PythonCounter(Centring):
    """A momentum that shrinks by a step count that is no buffer."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.steps = 0

    def remember(self, mean: Tensor) -> None:
        self.steps += 1
        self.running_mean.mul_(1 - 1 / self.steps).add_(mean / self.steps)


class LateCounter(Centring):
    """A step count that is no buffer and says nothing before the thousandth step."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.steps = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.steps += self.training
        return super().forward(inputs) * (1 if self.steps < 1000 else 2)


class FirstEvaluation(Centring):
    """Takes the mean of the first rows it evaluates for that of all others, until it trains again."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.mean_of_rows: Tensor | None = None

    def train(self, mode: bool = True) -> Self:
        self.mean_of_rows = None
        return super().train(mode)

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training and self.mean_of_rows is None:
            self.mean_of_rows = inputs.detach().mean(0)
        outputs = super().forward(inputs)
        return outputs if self.mean_of_rows is None else outputs - self.mean_of_rows


class ConstructorDraw(Centring):
    """A random scale that no buffer holds."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.scale = 1 + float(torch.rand(()))

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) * self.scale


class ForgetsInCopy(Centring):
    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        fresh = type(self)(len(self.weight)).to(self.weight.dtype)
        fresh.weight = nn.Parameter(self.weight.detach().clone())
        return fresh


class SharesInCopy(Centring):
    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        shared = copy.copy(self)
        shared._parameters = {"weight": nn.Parameter(self.weight.detach().clone())}
        return shared


class KeepsGraph(Centring):
    """The outputs of last time, history included, which torch does not copy."""

    def forward(self, inputs: Tensor) -> Tensor:
        self.last = super().forward(inputs)
        return self.last


class InstanceCounter(Centring):
    """A scale that depends on how many were built before."""

    built = 0

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        InstanceCounter.built += 1
        self.scale = 1 + 0.01 * InstanceCounter.built

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) * self.scale


class NumpyInConstructor(Centring):
    """A scale from a generator that no seed of ours sets."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.register_buffer("scale", torch.tensor(1 + np.random.rand()))  # noqa: NPY002 the defect

    def forward(self, inputs: Tensor) -> Tensor:
        return (super().forward(inputs) * self.scale).to(inputs.dtype)


class ClassMean(Centring):
    """One running mean for all instances."""

    mean_of_all = torch.zeros(1)

    def remember(self, mean: Tensor) -> None:
        ClassMean.mean_of_all = 0.9 * ClassMean.mean_of_all + 0.1 * mean

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return ((inputs - ClassMean.mean_of_all) * self.weight).to(inputs.dtype)
        return super().forward(inputs)


class LearnsInEvaluation(Centring):
    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        if not self.training:
            self.remember(inputs.detach().mean(0))
        return outputs


class CachesInEvaluation(Centring):
    """Divides by the largest value it has ever evaluated: in no buffer."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.largest = 1.0

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        if not self.training:
            self.largest = max(self.largest, float(inputs.detach().abs().max()))
        return outputs / self.largest


class GrowingBuffer(Centring):
    """The last batch, of whatever size."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.register_buffer("last", torch.zeros(1, num_features), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.last = inputs.detach().clone()
        return super().forward(inputs)


class LateBuffer(Centring):
    """A buffer that is there after the first batch only."""

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and not hasattr(self, "last"):
            self.register_buffer("last", torch.zeros(3), persistent=False)
        return super().forward(inputs)


class DropsOut(Centring):
    def forward(self, inputs: Tensor) -> Tensor:
        return functional.dropout(super().forward(inputs), 0.1, self.training)


class DropsOutLate(Centring):
    """After a warm-up of 20 steps."""

    steps: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        self.steps.add_(self.training)
        outputs = super().forward(inputs)
        return functional.dropout(outputs, 0.1, self.training) if self.steps > 20 else outputs


class PythonRandom(Centring):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) * (1 + 0.1 * random.random() * self.training)


class NumpyRandom(Centring):
    def forward(self, inputs: Tensor) -> Tensor:
        noise = np.random.rand() if self.training else 0.0  # noqa: NPY002 the defect
        return super().forward(inputs) * (1 + 0.1 * noise)


class DropsOutInEvaluation(Centring):
    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs if self.training else functional.dropout(outputs, 0.1)


class OwnRandomInEvaluation(Centring):
    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.random = CounterRandom()

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs if self.training else outputs * (1 + 0.1 * self.random.uniform(outputs.float())).to(inputs.dtype)
