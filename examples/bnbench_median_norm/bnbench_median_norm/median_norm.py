"""The norm."""

from math import pi, sqrt

import torch
from torch import Tensor, nn

from bnbench import UserError, norm

# of a normal distribution, standard deviation / mean absolute deviation
_TO_STANDARD_DEVIATION = sqrt(pi / 2)


@norm("median_norm")
class MedianNorm(nn.Module):
    """Centre every row on its median and scale it by its mean absolute deviation from there.

    The median of an even number of features is the mean of the middle two.

    Formula: y = γ (x − m) / (√(π/2) mean(|x − m|) + ε) + β, with the median m and the mean over the row
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: none
    Raises: UserError for an ε not above 0
    Source: layer normalization (arXiv:1607.06450) with the estimates of a Laplace distribution
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        if not 0 < eps < float("inf"):
            raise UserError(f"norm 'median_norm': eps={eps}: expected a number above 0 (set norm.eps)")
        self.eps = eps
        self.middle = slice((num_features - 1) // 2, num_features // 2 + 1)
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the normalized inputs, in their dtype."""
        # in half precision, a mean over many features loses digits and an ε of 1e-5 vanishes
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        median = values.sort(dim=-1).values[..., self.middle].mean(-1, keepdim=True)
        centred = values - median
        deviation = _TO_STANDARD_DEVIATION * centred.abs().mean(-1, keepdim=True)
        return (centred / (deviation + self.eps) * self.weight + self.bias).to(inputs.dtype)
