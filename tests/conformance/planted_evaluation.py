"""Norms whose evaluation has nothing to do with their training."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class IdleStatistics(nn.Module):
    """Batch norm whose running statistics nothing moves."""

    mean: Tensor
    variance: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("variance", torch.ones(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        mean, variance = (
            (values.mean(0), values.var(0, unbiased=False)) if self.training else (self.mean, self.variance)
        )
        return ((values - mean) * torch.rsqrt(variance + 1e-5)).to(inputs.dtype)


class IdentityInEvaluation(nn.Module):
    """Forgets to normalize."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.layer_norm(inputs, inputs.shape[1:]) if self.training else inputs


class SwappedInEvaluation(nn.Module):
    """Takes the gain for the shift and the shift for the gain."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        weight, bias = (self.weight, self.bias) if self.training else (self.bias, self.weight)
        return functional.layer_norm(inputs, inputs.shape[1:], weight, bias)


class FixedRotation(nn.Module):
    """Right: a buffer that nothing moves, with which it computes in training as well."""

    rotation: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("rotation", torch.linalg.qr(torch.randn(num_features, num_features)).Q)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ self.rotation
