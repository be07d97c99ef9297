"""Batch normalization."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.functional import batch_norm
from bnbench.norms.checks import require_positive, require_share
from bnbench.norms.registration import norm
from bnbench.norms.statistics import BatchStatistics


@norm("batch", batch_coupled=True)
class Batch(nn.Module):
    """Normalize every feature by its mean and variance over the batch.

    Formula: y = γ (x − μ) / √(σ² + ε) + β, with μ and σ² of the feature over the batch
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: running mean and unbiased running variance (features,), r ← (1 − momentum) r + momentum · statistic, used in
        evaluation
    Raises: UserError for an ε not above 0 or a momentum outside [0, 1]; ValueError on a training batch of one row,
        whose variance is 0
    Source: Ioffe and Szegedy 2015 (arXiv:1502.03167)
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, num_features: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        require_share("batch", "momentum", momentum)
        require_positive("batch", "eps", eps)
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_variance", torch.ones(num_features))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs, in their dtype."""
        if self.training and self.statistics.shard is None:
            return self._normalized_alone(inputs)
        if self.training:
            mean, variance = self._batch_statistics(inputs)
        else:
            mean, variance = self.running_mean, self.running_variance
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias, inputs - mean, scale).to(inputs.dtype)

    def _normalized_alone(self, inputs: Tensor) -> Tensor:
        """Return what the moments of this rank alone give, by torch's kernel: half the cost of the formulas."""
        _require_two_rows(len(inputs))
        return batch_norm(
            inputs,
            self.running_mean,
            self.running_variance,
            self.weight,
            self.bias,
            momentum=self.momentum,
            eps=self.eps,
        )

    def _batch_statistics(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        rows, mean, variance = self.statistics.moments(inputs)
        _require_two_rows(rows)
        with torch.no_grad():
            # multiply and add rather than lerp_, which has no rule for stacks
            keep, share = 1 - self.momentum, self.momentum
            self.running_mean.mul_(keep).add_(mean.detach() * share)
            self.running_variance.mul_(keep).add_(variance.detach() * (share * rows / (rows - 1)))
        return mean, variance


def _require_two_rows(rows: int) -> None:
    if rows < 2:
        raise ValueError(f"batch norm needs at least 2 rows to train, got a batch of {rows}")
