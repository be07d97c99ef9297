"""Norms that overflow, divide by 0 or lose digits, each in one way."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class RootMeanSquareWithoutEpsilon(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        values = _single(inputs)
        return (values / values.square().mean(1, keepdim=True).sqrt()).to(inputs.dtype)


class LayerWithoutEpsilon(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        centred = _single(inputs)
        centred = centred - centred.mean(1, keepdim=True)
        return (centred / centred.square().mean(1, keepdim=True).sqrt()).to(inputs.dtype)


class BatchWithoutEpsilon(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return inputs
        if len(inputs) == 1:
            raise ValueError("needs more than 1 row")
        centred = _single(inputs)
        centred = centred - centred.mean(0)
        return (centred / centred.square().mean(0).sqrt()).to(inputs.dtype)


class GuardsWholeBatches(nn.Module):
    """Divides by lengths of 0 wherever one row is not 0."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        values = _single(inputs)
        lengths = values.square().mean(1, keepdim=True).sqrt()
        return (values / torch.where((lengths > 0).any(), lengths, lengths + 1)).to(inputs.dtype)


class GuardsWholeFeatures(nn.Module):
    """Divides by deviations of 0 wherever one feature moves."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return inputs
        centred = _single(inputs)
        centred = centred - centred.mean(0)
        squares = centred.square().mean(0)
        return (centred * torch.rsqrt(squares + torch.where((squares > 0).any(), 0.0, 1.0))).to(inputs.dtype)


class UnbiasedByTwo(nn.Module):
    """Divides the squares by two rows less than there are."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return inputs
        if len(inputs) == 1:
            raise ValueError("needs more than 1 row")
        centred = _single(inputs)
        centred = centred - centred.mean(0)
        return (centred * torch.rsqrt(centred.square().sum(0) / (len(inputs) - 2) + 1e-5)).to(inputs.dtype)


class DifferenceOfSquares(nn.Module):
    """E[x²] − E[x]², which rounding makes negative."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        # one pass in float32 costs the digits of half precision too, which is not meant here
        values = inputs.double() if inputs.dtype.itemsize < 4 else inputs
        mean = values.mean(1, keepdim=True)
        variance = values.square().mean(1, keepdim=True) - mean.square()
        return ((values - mean) * torch.rsqrt(variance + 1e-5)).to(inputs.dtype)


class NinthPower(nn.Module):
    """x / (mean |x|⁹ + ε)^(1/9), the powers of the values as they are."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        values = _single(inputs)
        return (values / (values.abs().pow(9).mean(1, keepdim=True) + 1e-5).pow(1 / 9)).to(inputs.dtype)


class SoftWeights(nn.Module):
    """Weights the values by their exponentials, the largest not taken off before."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        values = _single(inputs)
        exponentials = (values / 100).exp()
        return (values * exponentials / exponentials.mean(1, keepdim=True)).to(inputs.dtype)


class LogarithmOfMean(nn.Module):
    """Taken as if the mean were never negative."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * torch.log(inputs.mean(1, keepdim=True))


class SumInHalf(nn.Module):
    """A mean whose sum is more than float16 holds."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        mean = inputs.sum(1, keepdim=True) / inputs.shape[1]
        return functional.layer_norm(inputs - mean, inputs.shape[1:])


class BatchInHalf(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return inputs
        if len(inputs) == 1:
            raise ValueError("needs more than 1 row")
        return ((inputs - inputs.mean(0)) / (inputs.std(0) + 1e-5) * self.weight).to(inputs.dtype)


class LayerInHalf(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        centred = inputs - inputs.mean(1, keepdim=True)
        return centred / (_single(centred).square().mean(1, keepdim=True) + 1e-5).sqrt().to(inputs.dtype)


class RootMeanSquareInHalf(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * torch.rsqrt(inputs.pow(2).mean(1, keepdim=True) + 1e-5)


class WeightCentredInHalf(nn.Module):
    """Weight standardization with the mean of a row in the precision of the weights."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().clone())

    def forward(self, inputs: Tensor) -> Tensor:
        centred = self.weight - self.weight.mean(1, keepdim=True)
        length = torch.linalg.vector_norm(_single(centred), dim=1, keepdim=True) + 1e-5
        return functional.linear(inputs, (centred / length).to(self.weight.dtype))


class WeightSquaredInHalf(nn.Module):
    """Weight normalization with the squares in the precision of the weights."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().clone())

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.weight / (self.weight.square().sum(1, keepdim=True) + 1e-5).sqrt())


class WeightWithoutEpsilon(nn.Module):
    """0/0 where all weights of a unit are 0."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().clone())

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.weight / torch.linalg.vector_norm(self.weight, dim=1, keepdim=True))


def _single(values: Tensor) -> Tensor:
    """In float32 at least: nothing is lost in half precision but where it is meant."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
