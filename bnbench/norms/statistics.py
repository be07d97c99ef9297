"""The one primitive every batch-coupled norm takes its statistics from."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Moments(NamedTuple):
    """Statistics of a batch per feature: the number of rows, their mean and their biased variance."""

    rows: Float[Tensor, ""] | int
    mean: Float[Tensor, " features"]
    variance: Float[Tensor, " features"]


class BatchMoments(nn.Module):
    """Mean μ = Σx/n and variance σ² = Σ(x − μ)²/n of every feature over the batch, in two passes.

    Computed in float32 for half precision inputs. The variance is centred before it is squared, so an offset far
    above the spread costs no digits. `combine`, when set, merges the local moments with those of other ranks: setting
    it on every `BatchMoments` of a network synchronises any batch-coupled norm without touching the norm.
    """

    def __init__(self) -> None:
        super().__init__()
        self.combine: Callable[[Moments], Moments] | None = None

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Moments:
        """Return the moments of (batch, features) inputs; differentiable."""
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        mean = values.mean(0)
        centred = values - mean
        moments = Moments(inputs.shape[0], mean, (centred * centred).mean(0))
        return moments if self.combine is None else self.combine(moments)
