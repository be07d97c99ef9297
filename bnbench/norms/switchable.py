"""Switchable normalization of batch and layer statistics."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.norms.checks import require_positive, require_share
from bnbench.norms.registration import norm
from bnbench.norms.statistics import BatchStatistics, at_least_float32, move_average, require_two_rows


@norm("switchable", batch_coupled=True)
class Switchable(nn.Module):
    """Normalize by a learned mixture of the statistics over the batch and over the row.

    Means and variances are mixed with weights of their own, each pair a softmax of two learned numbers that start
    equal. The third part of the paper's mixture, the instance, is undefined on (batch, features). With all weight on
    one part it is batch norm, or layer norm.

    Formula: y = γ (x − m₁ μ_batch − m₂ μ_row) / √(v₁ σ²_batch + v₂ σ²_row + ε) + β, with m and v each a softmax of two
        learned numbers, σ² biased
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,); mean_weights, variance_weights (2,) before the softmax, batch first
    State: running mean and unbiased running variance of the batch part (features,), r ← (1 − momentum) r + momentum ·
        statistic, used in evaluation
    Raises: UserError for an ε not above 0 or a momentum outside [0, 1]; ValueError on a training batch of one row,
        whose variance is 0
    Source: Luo et al. 2018 (arXiv:1806.10779)
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, num_features: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        require_share("switchable", "momentum", momentum)
        require_positive("switchable", "eps", eps)
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.mean_weights = nn.Parameter(torch.zeros(2))
        self.variance_weights = nn.Parameter(torch.zeros(2))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_variance", torch.ones(num_features))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs, in their dtype."""
        values = at_least_float32(inputs)
        mean, variance = self._batch_statistics(values) if self.training else (self.running_mean, self.running_variance)
        from_batch = values - mean
        from_row = values - values.mean(1, keepdim=True)
        row_variance = (from_row * from_row).mean(1, keepdim=True)
        means = at_least_float32(self.mean_weights).softmax(0)
        variances = at_least_float32(self.variance_weights).softmax(0)
        # the weights sum to 1: mixed after centring, an offset of the inputs costs no digits
        centred = means[0] * from_batch + means[1] * from_row
        deviation = torch.sqrt(variances[0] * variance + variances[1] * row_variance + self.eps)
        return torch.addcmul(self.bias, centred / deviation, self.weight).to(inputs.dtype)

    def _batch_statistics(self, values: Tensor) -> tuple[Tensor, Tensor]:
        rows, mean, variance = self.statistics.moments(values)
        require_two_rows("switchable norm", rows)
        move_average(self.running_mean, mean, share=self.momentum)
        move_average(self.running_variance, variance.detach() * (rows / (rows - 1)), share=self.momentum)
        return mean, variance
