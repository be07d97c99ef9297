"""Norms whose gradients are missing or other than the slope, each in one way."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Root(nn.Module):
    """A right root-mean-square norm, to be spoiled."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        return (functional.rms_norm(inputs, inputs.shape[1:], eps=1e-5) * self.weight).to(inputs.dtype)


class DetachedInput(Root):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.detach())


class DetachedFeature(Root):
    """One feature of many."""

    def forward(self, inputs: Tensor) -> Tensor:
        first = torch.arange(inputs.shape[1]) == 0
        shared = functional.rms_norm(inputs, inputs.shape[1:], eps=1e-5)
        return torch.where(first, inputs.detach() * 0.5, shared).to(inputs.dtype) * self.weight.to(inputs.dtype)


class DetachedFirstFeature(nn.Module):
    """Nothing flows to the first feature, on which no other output depends."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        others = functional.rms_norm(inputs[:, 1:], (inputs.shape[1] - 1,), eps=1e-5)
        return torch.cat([inputs[:, :1].detach(), others], dim=1)


class WithoutGradient(Root):
    def forward(self, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(inputs)


class DetachedGain(Root):
    def forward(self, inputs: Tensor) -> Tensor:
        return (functional.rms_norm(inputs, inputs.shape[1:], eps=1e-5) * self.weight.detach()).to(inputs.dtype)


class UnusedGain(Root):
    def forward(self, inputs: Tensor) -> Tensor:
        return functional.rms_norm(inputs, inputs.shape[1:], eps=1e-5)


class DetachedStatistic(Root):
    """The root mean square taken for a constant, as some norms mean it."""

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        scale = torch.rsqrt(values.detach().square().mean(1, keepdim=True) + 1e-5)
        return (values * scale * self.weight).to(inputs.dtype)
