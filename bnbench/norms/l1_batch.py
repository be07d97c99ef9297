"""Batch normalization by the mean absolute deviation, or by that of any other power."""

from math import exp, lgamma, log, pi
from statistics import NormalDist

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.functional import affine_of
from bnbench.norms.checks import require_positive, require_share
from bnbench.norms.registration import norm
from bnbench.norms.statistics import BatchStatistics, at_least_float32, move_average, require_two_rows

# A higher power is the limit but for digits that float32 does not have, and its constant overflows in the end.
LARGEST_POWER = 10_000


@norm("l1_batch", batch_coupled=True)
class L1Batch(nn.Module):
    """Centre every feature over the batch and divide it by its mean absolute deviation instead of its root mean square.

    `p` is the power of the mean: 1 as named, 2 in training batch normalization (in evaluation not quite: what is
    remembered is the mean of the deviations, not that of the variances, and no factor n / (n − 1)), any power in
    between and beyond up to 10,000, and `null` the limit p → ∞, the largest deviation of the batch (a record, being
    JSON, can hold no infinity). The constant c makes s
    the deviation of a feature that is Gaussian: c = √(π/2) for p = 1, generally c = (2^(p/2) Γ((p+1)/2) / √π)^(−1/p).
    In the limit it depends on the number of rows n: 1/c = Φ⁻¹((1 + 2^(−1/n)) / 2), the median of the largest |z| among
    n Gaussian numbers z.

    Formula: y = γ (x − μ) / √(s² + ε) + β, s = c · mean(|x − μ|^p)^(1/p), with μ and the mean over the batch
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: running mean and running deviation s (features,), r ← (1 − momentum) r + momentum · statistic, used in
        evaluation
    Raises: UserError for a p outside [1, 10000], an ε not above 0 or a momentum outside [0, 1]; ValueError on a
        training batch of one row, whose deviation is 0
    Source: Hoffer, Banner, Golan and Soudry 2018 (arXiv:1803.01814) for p = 1, 2 and ∞; Santurkar, Tsipras, Ilyas and
        Madry 2018 (arXiv:1805.11604) for lp as a control of batch norm
    """

    running_mean: Tensor
    running_deviation: Tensor

    def __init__(self, num_features: int, *, p: float | None = 1.0, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        if p is not None and not 1 <= p <= LARGEST_POWER:
            raise UserError(
                f"norm 'l1_batch': p={p}: expected a number from 1 to {LARGEST_POWER}, "
                "or null for the largest deviation (set norm.p)"
            )
        require_share("l1_batch", "momentum", momentum)
        require_positive("l1_batch", "eps", eps)
        self.p, self.momentum, self.eps = p, momentum, eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_deviation", torch.ones(num_features))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs, in their dtype."""
        if self.training:
            require_two_rows("l1 batch norm", self.statistics.rows(inputs))
            mean = self.statistics.mean(inputs)
            centred = at_least_float32(inputs) - mean
            deviation = self._deviation(centred.abs())
            move_average(self.running_mean, mean, share=self.momentum)
            move_average(self.running_deviation, deviation, share=self.momentum)
        else:
            centred = at_least_float32(inputs) - self.running_mean
            deviation = at_least_float32(self.running_deviation)
        scale = torch.rsqrt(deviation * deviation + self.eps)
        return affine_of(centred, scale, self.weight, self.bias).to(inputs.dtype)

    def _deviation(self, distances: Tensor) -> Tensor:
        rows = self.statistics.rows(distances)
        constant = gaussian_constant(self.p, rows)
        if self.p is None:
            return constant * self.statistics.maximum(distances)
        if self.p == 1:
            return constant * self.statistics.mean(distances)
        # Powers of distances as shares of the largest, which cancels and so takes no part in the gradient: nothing
        # overflows or vanishes. The mean is at least 1/rows then, but where all distances are 0; there the floor keeps
        # the gradient of the root finite, as that of the smallest share does for its logarithm. By exp and log, whose
        # bits do not depend on the size of a stack; those of `pow` do.
        smallest = torch.finfo(distances.dtype).tiny
        with torch.no_grad():
            largest = self.statistics.maximum(distances).clamp_min(smallest)
        powers = ((distances / largest).clamp_min(smallest).log() * self.p).exp()
        mean_power = self.statistics.mean(powers).clamp_min(0.5 / rows)
        return constant * largest * (mean_power.log() / self.p).exp()


def gaussian_constant(p: float | None, rows: int) -> float:
    """Return c such that c · mean(|z|^p)^(1/p) is 1 for a standard Gaussian z; over so many rows of it in the limit.

    >>> gaussian_constant(1, rows=60), gaussian_constant(2, rows=60)
    (1.2533141373155003, 1.0)
    """
    if p is None:
        return 1 / NormalDist().inv_cdf((1 + 0.5 ** (1 / rows)) / 2)
    return exp(-(p / 2 * log(2) + lgamma((p + 1) / 2) - log(pi) / 2) / p)
