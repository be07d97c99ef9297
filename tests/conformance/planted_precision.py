"""Norms whose digits are lost in float32, or where a trainer casts, each in one way."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ClampedDifference(nn.Module):
    """E[x²] − E[x]², kept from being negative: finite, and wrong far from 0."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        # in float32 alone: digits of half precision are not meant here
        values = inputs.double() if inputs.dtype.itemsize < 4 else inputs
        mean = values.mean(1, keepdim=True)
        variance = (values.square().mean(1, keepdim=True) - mean.square()).clamp_min(0)
        return ((values - mean) * torch.rsqrt(variance + 1e-5)).to(inputs.dtype)


class AlwaysInHalf(nn.Module):
    """In bfloat16, whatever it is given."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.layer_norm(inputs.bfloat16(), inputs.shape[1:]).to(inputs.dtype)
