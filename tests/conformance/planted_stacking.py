"""Norms that compute something else where replicas are stacked."""

from typing import Any

import torch
from torch import Tensor, nn


class RowMean(torch.autograd.Function):
    """The values off their mean over the features, by hand; its rule for `vmap` is wrong."""

    @staticmethod
    def forward(values: Tensor) -> Tensor:
        return values - values.mean(1, keepdim=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient - gradient.mean(1, keepdim=True)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], values: Tensor) -> tuple[Tensor, int]:
        # dimension 1 of a stack (replicas, batch, features) is the batch
        return RowMean.apply(values.movedim(in_dims[0], 0)), 0


class WrongRule(nn.Module):
    """Right alone; in a stack it is off the mean over the batch."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        return (RowMean.apply(values) * self.weight).to(inputs.dtype)


class DecidesByTheData(nn.Module):
    """Right, but no `vmap` can take an `if` on a tensor."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        if values.abs().max() > 1e30:
            return inputs
        return (values * torch.rsqrt(values.square().mean(1, keepdim=True) + 0.5) * self.weight).to(inputs.dtype)


class CountsCalls(nn.Module):
    """A warm-up counted in Python: replicas that share the count end it sooner."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += self.training
        return inputs * self.weight * min(self.calls, 5)


class Whitening(nn.Module):
    """Right: the inverse root of a covariance that is barely more than singular, computed in the inputs' precision."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        centred = values - values.mean(0)
        floor = 1e-3 * torch.eye(values.shape[1], dtype=values.dtype)
        root = torch.linalg.cholesky(centred.T @ centred / len(values) + floor)
        return (centred @ torch.linalg.inv(root).T).to(inputs.dtype)
