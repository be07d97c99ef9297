"""Norms that say something of themselves that is not so. Registered by the test, with what each of them declares."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bnbench.norms import BatchStatistics


class Centring(nn.Module):
    """A right batch-coupled norm, to be spoiled: off the batch mean in training, a running mean in evaluation."""

    running_mean: Tensor
    fewest_rows = 2

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        if self.training:
            if len(inputs) < self.fewest_rows:
                raise ValueError(f"needs at least {self.fewest_rows} rows to train, got a batch of {len(inputs)}")
            mean = self.mean(values)
            self.running_mean.mul_(0.9).add_(0.1 * mean.detach())
        else:
            mean = self.running_mean
        return ((values - mean) * self.weight).to(inputs.dtype)

    def mean(self, values: Tensor) -> Tensor:
        return self.statistics.mean(values)


class TrainsOneRow(Centring):
    """Lets a batch of one row through."""

    fewest_rows = 1


class RefusesTwoRows(Centring):
    """Needs more rows than it says."""

    fewest_rows = 3


class LocalMean(Centring):
    """Its mean is that of the rows of its own rank."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        del self.statistics

    def mean(self, values: Tensor) -> Tensor:
        return values.mean(0)


class RowsAlone(nn.Module):
    """Layer norm that refuses one row as a batch-coupled norm does."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and len(inputs) < 2:
            raise ValueError(f"needs at least 2 rows to train, got a batch of {len(inputs)}")
        return functional.layer_norm(inputs, inputs.shape[1:], self.weight)


class StraightActivation(nn.Module):
    """Says that it replaces the activation, and is affine."""

    replaces_activation = True

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.addcmul(self.bias, inputs, self.weight)


class BentActivation(StraightActivation):
    """Says that it replaces the activation, and does."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).relu()


class StartsAnew(nn.Module):
    """A weight norm that draws weights of its own instead of starting at those it is given."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn_like(linear.weight) * 0.1)
        self.bias = nn.Parameter(torch.zeros_like(linear.bias))

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.weight, self.bias)
