"""Batch renormalization: batch norm that trains with what it will evaluate with."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.functional import affine_of
from bnbench.norms.checks import refuse_unused, require_at_least, require_positive, require_share, require_steps
from bnbench.norms.registration import norm
from bnbench.norms.statistics import BatchStatistics, at_least_float32, move_average, require_two_rows


@norm("batch_renorm", batch_coupled=True)
class BatchRenorm(nn.Module):
    """Normalize by the batch, then correct towards the running statistics, within limits that widen in training.

    r and d count as constants in the gradient. Where neither is clipped, training and evaluation are one function. The
    first `warmup_steps` steps have r = 1 and d = 0: batch normalization. Over the next `ramp_steps` the limits grow
    evenly, that of r from 1 to `max_scale` and that of d from 0 to `max_shift`.

    The paper warms up for 5,000 steps and reaches the limit 5 of d at step 25,000 and the limit 3 of r at step 40,000,
    with a momentum of 0.01, in runs of over 100,000 steps. Runs here have some thousand steps, hence 100 and 400, one
    ramp for both limits, and the momentum of batch norm.

    Formula: y = γ (r (x − μ) / σ + d) + β, σ = √(var + ε), with μ and var over the batch; r = clip(σ / σ_running) to
        [1/r_max, r_max] and d = clip((μ − μ_running) / σ_running) to [−d_max, d_max]
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: running mean and running deviation σ (features,), R ← (1 − momentum) R + momentum · statistic, moved after r
        and d were taken from them, used in evaluation; number of training steps, int64 scalar
    Raises: UserError for a max_scale below 1, a max_shift or a number of steps below 0, an ε not above 0, a momentum
        outside [0, 1], or steps that are set where they have no effect; ValueError on a training batch of one row,
        whose variance is 0
    Source: Ioffe 2017 (arXiv:1702.03275)
    """

    running_mean: Tensor
    running_deviation: Tensor
    steps: Tensor

    def __init__(
        self,
        num_features: int,
        *,
        max_scale: float = 3.0,
        max_shift: float = 5.0,
        momentum: float = 0.1,
        warmup_steps: int = 100,
        ramp_steps: int = 400,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        require_at_least("batch_renorm", "max_scale", max_scale, least=1)
        require_at_least("batch_renorm", "max_shift", max_shift, least=0)
        require_steps("batch_renorm", "warmup_steps", warmup_steps)
        require_steps("batch_renorm", "ramp_steps", ramp_steps)
        require_share("batch_renorm", "momentum", momentum)
        require_positive("batch_renorm", "eps", eps)
        if max_scale == 1 and max_shift == 0:
            schedule = {"warmup_steps": warmup_steps, "ramp_steps": ramp_steps}
            refuse_unused("batch_renorm", schedule, because="max_scale=1 and max_shift=0, which never correct anything")
        if ramp_steps == 1:
            raise UserError(
                "norm 'batch_renorm': ramp_steps=1 has no effect: the first step after the warm-up has the full limits "
                "with ramp_steps=0 too (set norm.ramp_steps=0)"
            )
        self.max_scale, self.max_shift, self.momentum, self.eps = max_scale, max_shift, momentum, eps
        self.warmup_steps, self.ramp_steps = warmup_steps, ramp_steps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_deviation", torch.ones(num_features))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs, in their dtype."""
        if not self.training:
            scale = 1 / at_least_float32(self.running_deviation)
            centred = at_least_float32(inputs) - self.running_mean
            return affine_of(centred, scale, self.weight, self.bias).to(inputs.dtype)
        rows, mean, variance = self.statistics.moments(inputs)
        require_two_rows("batch renorm", rows)
        deviation = torch.sqrt(variance + self.eps)
        correction, shift = self._corrections(mean, deviation)
        move_average(self.running_mean, mean, share=self.momentum)
        move_average(self.running_deviation, deviation, share=self.momentum)
        normed = (at_least_float32(inputs) - mean) * (correction / deviation) + shift
        return affine_of(normed, None, self.weight, self.bias).to(inputs.dtype)

    @torch.no_grad()
    def _corrections(self, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
        """Count the step; return r and d, by the running statistics of the steps before."""
        self.steps.add_(1)
        ramped = (self.steps.to(mean.dtype) - self.warmup_steps) / max(self.ramp_steps, 1)
        share = ramped.clamp(0, 1)
        max_scale = 1 + share * (self.max_scale - 1)
        max_shift = share * self.max_shift
        scale = torch.clamp(deviation / self.running_deviation, 1 / max_scale, max_scale)
        shift = torch.clamp((mean - self.running_mean) / self.running_deviation, -max_shift, max_shift)
        return scale, shift
