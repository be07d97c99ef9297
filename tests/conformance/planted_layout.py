"""Layers that confuse rows with features, most of them only where there are as many of one as of the other."""

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional


class TransposedLayer(nn.Module):
    """Layer norm of the transposed batch: its γ has a value per row."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.layer = nn.LayerNorm(num_features)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs.T).T


class Guessing(nn.Module):
    """Right but for one thing: where the first dimension is as long as the features, it takes that for them."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))

    def is_first(self, inputs: Tensor) -> bool:
        return inputs.shape[0] == len(self.weight)


class GainOnRows(Guessing):
    """γ goes along the dimension that is guessed."""

    def forward(self, inputs: Tensor) -> Tensor:
        normed = functional.layer_norm(inputs, inputs.shape[1:])
        return normed * (self.weight.unsqueeze(1) if self.is_first(inputs) else self.weight)


class NormalizedAlongRows(Guessing):
    """The statistics are taken along the dimension that is guessed."""

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.T if self.is_first(inputs) else inputs
        normed = functional.layer_norm(values, values.shape[1:])
        return (normed.T if self.is_first(inputs) else normed) * self.weight


class WithoutCentreOnSquares(Guessing):
    """A square batch goes through another formula."""

    def forward(self, inputs: Tensor) -> Tensor:
        if self.is_first(inputs):
            return functional.rms_norm(inputs, inputs.shape[1:]) * self.weight
        return functional.layer_norm(inputs, inputs.shape[1:]) * self.weight


class BiasOnRows(nn.Module):
    """A weight norm whose bias goes along the dimension that is guessed."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().clone())
        self.bias = nn.Parameter(linear.bias.detach().clone())

    def forward(self, inputs: Tensor) -> Tensor:
        bias = self.bias.unsqueeze(1) if len(inputs) == len(self.bias) else self.bias
        return functional.linear(inputs, self.weight) + bias


class RolledRows(nn.Module):
    """Layer norm whose answers come back a row too late."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.layer = nn.LayerNorm(num_features)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs).roll(1, 0)


class MisreadStatistics(nn.Module):
    """The spread of features, read from memory as if features came first: wrong at every size."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        spread = values.reshape(self.num_features, -1).square().mean(1)
        return (values * torch.rsqrt(spread + 0.1)).to(inputs.dtype)


class WarnsOfFewRows(nn.Module):
    """Right, and says that a covariance of no more rows than features has no inverse."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.layer = nn.LayerNorm(num_features)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.shape[0] <= inputs.shape[1]:
            warnings.warn("no more rows than features: the covariance has no inverse", stacklevel=1)
        return self.layer(inputs)


class RefusesFewRows(WarnsOfFewRows):
    """Right, and trains on more rows than features alone."""

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and inputs.shape[0] <= inputs.shape[1]:
            raise ValueError(f"needs more rows than features, got a batch of {len(inputs)}")
        return self.layer(inputs)


class RefusesOddBatches(WarnsOfFewRows):
    """Right, and takes its batches in two halves."""

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and len(inputs) % 2:
            raise ValueError(f"expected an even batch, got {len(inputs)} rows")
        return self.layer(inputs)
