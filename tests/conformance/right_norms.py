"""Right norms as strangers write them: none may fail."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class RootMeanSquareInFloat32(nn.Module):
    """As language models have it: statistics in float32 whatever comes, float64 included."""

    def __init__(self, num_features: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.eps = eps

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.float32)
        values = values * torch.rsqrt(values.square().mean(-1, keepdim=True) + self.eps)
        return (self.weight * values.to(inputs.dtype)).to(inputs.dtype)


class CentredByMemory(nn.Module):
    """Batch mean in float32, the rest in the precision of the inputs: a difference quotient meets both."""

    running_mean: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return (inputs.float() - self.running_mean.float()).to(inputs.dtype)
        mean = inputs.float().mean(0)
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), 0.1)
        return (inputs - mean).to(inputs.dtype)


class Ranks(nn.Module):
    """Piecewise constant: the gradient is 0 by nature."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs.argsort(-1).argsort(-1).to(inputs.dtype) + 0.5) / self.num_features


class LargestThree(nn.Module):
    """Jumps where another value comes to be among the largest."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(num_features)

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.norm(inputs)
        return torch.where(values >= values.topk(3, -1).values[:, -1:], values, torch.zeros_like(values))


class Rounded(nn.Module):
    """To eighths, with the gradient passed straight through."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(num_features)

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.norm(inputs)
        return values + ((values * 8).round() / 8 - values).detach()


class LearnedEpsilon(nn.Module):
    """A parameter of 1e-4 that must stay positive."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.full((num_features,), 1e-4))

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        squares = values.square().mean(-1, keepdim=True)
        return (values * torch.rsqrt(squares + self.epsilon)).to(inputs.dtype)


class RootOfTemperature(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.full((num_features,), 0.1))

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.layer_norm(inputs, inputs.shape[-1:]) * self.temperature.to(inputs.dtype).sqrt()


class Softmax(nn.Module):
    """At large values one rounding of the inputs decides which is the largest."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        return torch.softmax(values / self.temperature, -1).to(inputs.dtype)


class GlobalResponse(nn.Module):
    """Products of products: beyond float16 before the gain makes them small."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(num_features))
        self.offset = nn.Parameter(torch.zeros(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        size = inputs.abs()
        response = size / (size.mean(-1, keepdim=True) + 1e-6)
        return (self.gain * (inputs * response) + self.offset + inputs).to(inputs.dtype)


class LastMean(nn.Module):
    """Keeps the mean of the last batch to be looked at: made anew by every step, so no memory."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(num_features)
        self.last_mean: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        self.last_mean = inputs.detach().mean()
        return self.norm(inputs)


class Pairwise(nn.Module):
    """Compares every row with every other."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        values = values - values.mean(0)
        apart = (values.unsqueeze(0) - values.unsqueeze(1)).square().mean((0, 1))
        return (values * torch.rsqrt(apart + 1e-5)).to(inputs.dtype)
