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


class MeanAsProduct(nn.Module):
    """Means by a product with ones, which autocast computes in half precision."""

    means: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.full((num_features, num_features), 1 / num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        means = self.means.to(values.dtype)
        centred = values - values @ means
        return (centred * torch.rsqrt(centred.square() @ means + 1e-5)).to(inputs.dtype)


class RunningMeanInHalf(nn.Module):
    """Takes its own mean in float32, and the one it remembers in the precision of the inputs."""

    running_mean: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        mean = values.mean(0) if self.training else self.running_mean
        if self.training:
            self.running_mean.mul_(0.9).add_(0.1 * inputs.detach().mean(0))
        return (values - mean).to(inputs.dtype)


class AlwaysInHalf(nn.Module):
    """In bfloat16, whatever it is given."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.layer_norm(inputs.bfloat16(), inputs.shape[1:]).to(inputs.dtype)
