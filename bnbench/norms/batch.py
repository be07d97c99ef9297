"""Batch normalization."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.functional import affine_of, batch_norm
from bnbench.norms.checks import refuse_unused, require_positive, require_share
from bnbench.norms.registration import norm
from bnbench.norms.statistics import BatchStatistics, at_least_float32, move_average, require_two_rows


@norm("batch", batch_coupled=True)
class Batch(nn.Module):
    """Normalize every feature by its mean and variance over the batch.

    Its variants are options. `affine=false` learns nothing. `divide_by_deviation=false` only centres.
    `subtract_mean=false` only scales, by √(mean(x²) + ε): what is called variance here is then taken about 0.
    `running_statistics=false` remembers nothing: an evaluation uses the statistics of the batch it is given.
    `momentum=null` makes the running statistics plain averages over all steps.
    `unbiased_running_variance=false` remembers Σ(x − μ)²/n as it is; a variance about 0 always is.

    Formula: y = γ (x − μ) / √(σ² + ε) + β, with μ and σ² of the feature over the batch
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: running mean and unbiased running variance (features,), r ← (1 − momentum) r + momentum · statistic, used in
        evaluation; with `momentum=null` also the number of steps, and 1/steps for the momentum
    Raises: UserError for an ε not above 0, a momentum outside [0, 1], a norm that neither centres nor scales, or an
        option that is set where it has no effect; ValueError on a training batch of one row, whose variance is 0, and
        on any such batch without running statistics
    Source: Ioffe and Szegedy 2015 (arXiv:1502.03167)
    """

    running_mean: Tensor
    running_variance: Tensor
    steps: Tensor

    def __init__(
        self,
        num_features: int,
        *,
        momentum: float | None = 0.1,
        eps: float = 1e-5,
        affine: bool = True,
        subtract_mean: bool = True,
        divide_by_deviation: bool = True,
        running_statistics: bool = True,
        unbiased_running_variance: bool = True,
    ) -> None:
        super().__init__()
        if momentum is not None:
            require_share("batch", "momentum", momentum)
        require_positive("batch", "eps", eps)
        if not (subtract_mean or divide_by_deviation):
            raise UserError(
                "norm 'batch': subtract_mean=False and divide_by_deviation=False: expected at least one to be true "
                "(norm=affine only learns a scale and a shift, norm=none does nothing)"
            )
        unbiased: dict[str, Any] = {"unbiased_running_variance": unbiased_running_variance}
        if not running_statistics:
            refuse_unused("batch", {"momentum": momentum, **unbiased}, because="running_statistics=false")
        if not divide_by_deviation:
            refuse_unused("batch", {"eps": eps, **unbiased}, because="divide_by_deviation=false")
        if not subtract_mean:
            refuse_unused("batch", unbiased, because="subtract_mean=false")
        if momentum == 0:
            refuse_unused("batch", unbiased, because="momentum=0")
        self.momentum, self.eps = momentum, eps
        self.subtract_mean, self.divide_by_deviation = subtract_mean, divide_by_deviation
        self.running_statistics, self.unbiased = running_statistics, unbiased_running_variance and subtract_mean
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        if running_statistics and subtract_mean:
            self.register_buffer("running_mean", torch.zeros(num_features))
        if running_statistics and divide_by_deviation:
            self.register_buffer("running_variance", torch.ones(num_features))
        if running_statistics and momentum is None:
            self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs, in their dtype."""
        if self.training or not self.running_statistics:
            require_two_rows("batch norm", self.statistics.rows(inputs), training=self.training)
        if self.training and self.is_torchs and self.statistics.shard is None and self._kernel_takes_float32(inputs):
            return self._normalized_alone(inputs)
        if self.training and self.running_statistics and self.momentum is None:
            self.steps.add_(1)
        centred, scale = at_least_float32(inputs), None
        if self.subtract_mean:
            centred = centred - self._mean(centred)
        if self.divide_by_deviation:
            scale = torch.rsqrt(self._variance(centred) + self.eps)
        return affine_of(centred, scale, self.weight, self.bias).to(inputs.dtype)

    @property
    def is_torchs(self) -> bool:
        """Return whether torch's kernel computes this variant."""
        remembers_as_torch = self.unbiased and self.momentum is not None
        return self.subtract_mean and self.divide_by_deviation and (remembers_as_torch or not self.running_statistics)

    def _kernel_takes_float32(self, inputs: Tensor) -> bool:
        """Return whether torch's kernel takes its statistics in float32: not where inputs and layer are all in half."""
        if inputs.dtype.itemsize >= 4:
            return True
        return any(tensor.dtype.itemsize >= 4 for tensor in (*self.parameters(), *self.buffers()))

    def _normalized_alone(self, inputs: Tensor) -> Tensor:
        """Return what the moments of this rank alone give, by torch's kernel: half the cost of the formulas."""
        return batch_norm(
            inputs,
            self.running_mean if self.running_statistics else None,
            self.running_variance if self.running_statistics else None,
            self.weight,
            self.bias,
            momentum=self.momentum or 0.0,
            eps=self.eps,
        )

    def _mean(self, inputs: Tensor) -> Tensor:
        if self.running_statistics and not self.training:
            return self.running_mean
        mean = self.statistics.mean(inputs)
        if self.running_statistics:
            move_average(self.running_mean, mean, share=self._share())
        return mean

    def _variance(self, centred: Tensor) -> Tensor:
        if self.running_statistics and not self.training:
            return at_least_float32(self.running_variance)
        variance = self.statistics.mean(centred * centred)
        if self.running_statistics:
            rows = self.statistics.rows(centred)
            correction = rows / (rows - 1) if self.unbiased else 1.0
            move_average(self.running_variance, variance * correction, share=self._share())
        return variance

    def _share(self) -> float | Tensor:
        """Return by how much this step moves the running statistics."""
        return 1 / self.steps.double() if self.momentum is None else self.momentum
