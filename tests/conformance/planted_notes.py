"""Norms that are right, and of which a user should know something."""

import torch
from torch import Tensor, nn


class LayerByHand(nn.Module):
    """Layer norm, written again, its parameters in another order."""

    def __init__(self, num_features: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(num_features))
        self.gain = nn.Parameter(torch.ones(num_features))
        self.eps = eps

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        centred = values - values.mean(1, keepdim=True)
        normed = centred * torch.rsqrt(centred.square().mean(1, keepdim=True) + self.eps)
        return (normed * self.gain + self.shift).to(inputs.dtype)


class AlmostLayer(LayerByHand):
    """Layer norm but for the divisor of its variance, features - 1: 2 % off."""

    def forward(self, inputs: Tensor) -> Tensor:
        share = (inputs.shape[1] - 1) / inputs.shape[1]
        return (super().forward(inputs) - self.shift) * share**0.5 + self.shift


class Slow(LayerByHand):
    """Layer norm, and a lot to do beside."""

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        for _ in range(100):
            outputs = outputs * 1.0
        return outputs
