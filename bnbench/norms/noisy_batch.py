"""Batch normalization followed by noise that changes with every step: a diagnostic."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.norms.batch import Batch
from bnbench.norms.checks import require_at_least, require_positive, require_share
from bnbench.norms.registration import norm
from bnbench.norms.statistics import at_least_float32, require_two_rows
from bnbench.seeding import CounterRandom


@norm("noisy_batch", batch_coupled=True)
class NoisyBatch(nn.Module):
    """Batch norm whose outputs are scaled and shifted at random in training, by a distribution new in every step.

    A diagnostic, not a method: it makes the distribution of a layer's outputs less stable than without any norm. If
    training is as fast as with batch norm all the same, stable distributions are not what makes batch norm work.
    In evaluation it is batch norm.

    Formula: y = s · batch_norm(x) + m; per feature and step μ ~ U(−largest_shift, largest_shift) and
        σ ~ U(1, largest_scale); per element m ~ U(μ − shift_spread, μ + shift_spread) and s ~ N(σ, scale_deviation²)
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,) of batch norm
    State: running mean and unbiased running variance (features,) of batch norm; key and step of its random stream
    Raises: UserError for a largest_scale below 1, another constant of the noise below 0, an ε not above 0 or a momentum
        outside [0, 1]; ValueError on a training batch of one row, whose variance is 0
    Source: Santurkar, Tsipras, Ilyas and Madry 2018 (arXiv:1805.11604), appendix A
    """

    def __init__(
        self,
        num_features: int,
        *,
        largest_shift: float = 0.5,
        largest_scale: float = 1.25,
        shift_spread: float = 0.1,
        scale_deviation: float = 0.1,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        require_at_least("noisy_batch", "largest_shift", largest_shift, least=0)
        require_at_least("noisy_batch", "largest_scale", largest_scale, least=1)
        require_at_least("noisy_batch", "shift_spread", shift_spread, least=0)
        require_at_least("noisy_batch", "scale_deviation", scale_deviation, least=0)
        require_share("noisy_batch", "momentum", momentum)
        require_positive("noisy_batch", "eps", eps)
        self.largest_shift, self.largest_scale = largest_shift, largest_scale
        self.shift_spread, self.scale_deviation = shift_spread, scale_deviation
        self.batch = Batch(num_features, momentum=momentum, eps=eps)
        self.random = CounterRandom()

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs, with noise in training, in their dtype."""
        if not self.training:
            return self.batch(inputs)
        require_two_rows("noisy batch norm", self.batch.statistics.rows(inputs))
        normed = at_least_float32(self.batch(inputs))
        scale, shift = self._noise(normed)
        return torch.addcmul(shift, normed, scale).to(inputs.dtype)

    @torch.no_grad()
    def _noise(self, normed: Tensor) -> tuple[Tensor, Tensor]:
        """Return s and m of every element: those of its place in the whole batch, whoever holds it."""
        first = self.batch.statistics.noise_from * normed.shape[1]
        features = at_least_float32(self.batch.running_mean)
        shift = self.largest_shift * (2 * self.random.uniform(features) - 1)  # of each feature
        scale = 1 + (self.largest_scale - 1) * self.random.uniform(features)
        shift = shift + self.shift_spread * (2 * self.random.uniform(normed, first=first) - 1)
        return scale + self.scale_deviation * self.random.normal(normed, first=first), shift
