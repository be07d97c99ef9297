"""Iterative normalization: whitening by Newton–Schulz."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.functional import grouped_product
from bnbench.norms.checks import require_divisor, require_positive, require_share
from bnbench.norms.registration import norm
from bnbench.norms.statistics import BatchStatistics, at_least_float32, move_average, require_two_rows

# Directions in which a batch does not vary, as with fewer rows than features, grow by half with every step; after 30 of
# them rounding in float32 has made them infinite. Others have long arrived: 20 steps reach a millionth of the variance.
MOST_ITERATIONS = 20


@norm("iterative", batch_coupled=True)
class Iterative(nn.Module):
    """Whiten every group of features over the batch: bring their covariance near the identity.

    The inverse square root of the covariance comes from Newton–Schulz' iteration, which is made of products alone.
    After few steps the directions of least variance are not yet of full length, which the paper counts as a merit: they
    are the ones a batch tells least about. With as many groups as features it is batch norm in training; in evaluation
    not quite, since what is remembered is the mean of the 1/√(σ² + ε), not that of the variances.

    Formula: y = γ W (x − μ) + β, W = P / √tr Σ after num_iterations steps P ← (3 P − P³ Σ / tr Σ) / 2 from P = I, with
        Σ = covariance of the group over the batch + ε I
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: running mean (features,) and running W (groups, features / groups, features / groups), r ← (1 − momentum) r +
        momentum · statistic, used in evaluation
    Raises: UserError for an ε not above 0, a momentum outside [0, 1], iterations outside [1, 20], and when the groups
        do not divide the features; ValueError on a training batch of one row, whose covariance is 0
    Source: Huang et al. 2019 (arXiv:1904.03441)
    """

    running_mean: Tensor
    running_whitening: Tensor

    def __init__(
        self,
        num_features: int,
        *,
        num_groups: int = 4,
        num_iterations: int = 5,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        require_divisor("iterative", "num_groups", num_groups, num_features)
        require_share("iterative", "momentum", momentum)
        require_positive("iterative", "eps", eps)
        if not 1 <= num_iterations <= MOST_ITERATIONS:
            raise UserError(
                f"norm 'iterative': num_iterations={num_iterations}: expected between 1 and {MOST_ITERATIONS} "
                "(set norm.num_iterations)"
            )
        self.num_groups = num_groups
        self.num_iterations = num_iterations
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_whitening", torch.eye(num_features // num_groups).repeat(num_groups, 1, 1))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the whitened inputs, in their dtype."""
        values = at_least_float32(inputs)
        if self.training:
            channels, whitening = self._of_batch(values)
        else:
            channels = self._in_groups((values - self.running_mean).T)
            whitening = at_least_float32(self.running_whitening)
        matrices = self._in_groups(self.weight.unsqueeze(1)) * whitening
        whitened = grouped_product(matrices.to(channels.dtype), channels)
        return (whitened.flatten(0, 1).T + self.bias).to(inputs.dtype)

    def _of_batch(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return channels and whitening matrices, (groups, width, batch) and (groups, width, width), of this batch.

        The channels are divided by the largest of their group and the matrices belong to them as they then are: the
        products stay within the range of float32 whatever the inputs. The result does not depend on the divisor.
        """
        rows = self.statistics.rows(values)
        require_two_rows("iterative norm", rows)
        mean = self.statistics.mean(values)
        centred = values - mean
        largest = self._in_groups(self.statistics.maximum(centred.detach().abs()))  # (groups, width)
        divisor = largest.amax(1).clamp_min(sqrt(self.eps)).view(-1, 1, 1)
        channels = (self._in_groups(centred.T) / divisor).contiguous()
        covariance = self.statistics.reduce(channels @ channels.mT) / rows
        whitening = inverse_square_root(
            covariance, offset=(sqrt(self.eps) / divisor).square(), num_iterations=self.num_iterations
        )
        move_average(self.running_mean, mean, share=self.momentum)
        move_average(self.running_whitening, whitening.detach() / divisor, share=self.momentum)
        return channels, whitening

    def _in_groups(self, values: Tensor) -> Tensor:
        """Return (features, ...) as (groups, width, ...)."""
        return values.unflatten(0, (self.num_groups, -1))


def inverse_square_root(
    covariance: Float[Tensor, "groups width width"], *, offset: Float[Tensor, "groups 1 1"], num_iterations: int
) -> Float[Tensor, "groups width width"]:
    """Return P / √tr Σ of Σ = covariance + offset · I, P after so many Newton–Schulz steps: near Σ^(−1/2).

    The paper's P ← (3 P − P³ S) / 2, S = Σ / tr Σ, in two sequences: P ← H P and Q ← Q H, Q = S P at first and
    H = (3 I − P Q) / 2. The same P and as many products, but written out P³ S multiplies rounding errors from step to
    step: with a condition number of 100 nothing is left after ten steps in float32, after twenty in float64.
    """
    identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    covariance = covariance + offset * identity
    trace = (covariance * identity).sum((1, 2)).view(-1, 1, 1)
    normalized = covariance / trace
    root = 1.5 * identity - 0.5 * normalized
    if num_iterations > 1:
        product = normalized @ root
    for step in range(2, num_iterations + 1):
        half = 1.5 * identity - 0.5 * (root @ product)
        root = half @ root
        if step < num_iterations:
            product = product @ half
    return root / trace.sqrt()
