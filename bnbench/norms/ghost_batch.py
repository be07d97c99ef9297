"""Ghost batch normalization: batch norm over parts of the batch."""

from collections.abc import Iterator
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.functional import affine_of
from bnbench.norms.checks import require_at_least, require_positive, require_share
from bnbench.norms.registration import norm
from bnbench.norms.statistics import BatchStatistics, at_least_float32, move_average, require_two_rows


@norm("ghost_batch", batch_coupled=True)
class GhostBatch(nn.Module):
    """Normalize every feature over each of several parts of the batch, of about `ghost_rows` rows.

    The parts are consecutive rows of the whole batch, whoever holds them: max(1, rows // ghost_rows) of them, equal in
    size or one row apart, so that none is smaller than `ghost_rows` unless the batch is.

    Each step moves the running statistics once, to the mean over the parts, weighted by their rows: the mean of the
    batch, and the mean variance within a part. (The paper moves them once per part, in order, which gives the last part
    the most weight, and makes the momentum depend on the number of parts.)

    Formula: y = γ (x − μ) / √(σ² + ε) + β, with μ and σ² of the feature over the part of the batch the row is in
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: running mean and unbiased running variance (features,), r ← (1 − momentum) r + momentum · mean over parts,
        used in evaluation
    Raises: UserError for ghost_rows below 2, an ε not above 0 or a momentum outside [0, 1]; ValueError on a training
        batch of one row, whose variance is 0
    Source: Hoffer, Hubara and Soudry 2017 (arXiv:1705.08741)
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, num_features: int, *, ghost_rows: int = 16, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        require_at_least("ghost_batch", "ghost_rows", ghost_rows, least=2)
        require_share("ghost_batch", "momentum", momentum)
        require_positive("ghost_batch", "eps", eps)
        self.ghost_rows, self.momentum, self.eps = ghost_rows, momentum, eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_variance", torch.ones(num_features))
        self.statistics = BatchStatistics()

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs, in their dtype."""
        if not self.training:
            scale = torch.rsqrt(at_least_float32(self.running_variance) + self.eps)
            centred = at_least_float32(inputs) - self.running_mean
            return affine_of(centred, scale, self.weight, self.bias).to(inputs.dtype)
        rows = self.statistics.rows(inputs)
        require_two_rows("ghost batch norm", rows)
        sizes = part_sizes(rows, self.ghost_rows)
        first = self.statistics.first_row()
        here = sizes_within(sizes, first, first + len(inputs))
        values = at_least_float32(inputs)
        divisors = torch.tensor(sizes, dtype=values.dtype, device=inputs.device)
        sums = self.statistics.reduce(part_sums(values, here))  # (parts, features)
        centred = values - to_rows(sums / divisors.unsqueeze(1), here)
        squares = self.statistics.reduce(part_sums(centred * centred, here))
        scale = torch.rsqrt(squares / divisors.unsqueeze(1) + self.eps)
        unbiased = squares * (divisors / (divisors - 1) / rows).unsqueeze(1)
        move_average(self.running_mean, sums.sum(0) / rows, share=self.momentum)
        move_average(self.running_variance, unbiased.sum(0), share=self.momentum)
        return affine_of(centred, to_rows(scale, here), self.weight, self.bias).to(inputs.dtype)


def part_sizes(rows: int, ghost_rows: int) -> list[int]:
    """Return the sizes of the parts of a batch, larger ones first.

    >>> part_sizes(60, 16), part_sizes(53, 16), part_sizes(15, 16)
    ([20, 20, 20], [18, 18, 17], [15])
    """
    count = max(1, rows // ghost_rows)
    return [rows // count + (part < rows % count) for part in range(count)]


def sizes_within(sizes: list[int], start: int, stop: int) -> list[int]:
    """Return how many rows of each part lie among the rows from `start` to `stop` of the batch.

    >>> sizes_within([20, 20, 20], 30, 50)
    [0, 10, 10]
    """
    ends = [sum(sizes[: part + 1]) for part in range(len(sizes))]
    return [max(0, min(end, stop) - max(end - size, start)) for size, end in zip(sizes, ends, strict=True)]


def part_sums(values: Float[Tensor, "batch features"], sizes: list[int]) -> Float[Tensor, "parts features"]:
    """Return the sum over each part of the rows at hand; 0 for a part that has none among them."""
    lengths = [count * size for count, size in runs(sizes)]
    pieces = zip(values.split(lengths), runs(sizes), strict=True)
    return torch.cat([piece.unflatten(0, run).sum(1) for piece, run in pieces])


def to_rows(values: Float[Tensor, "parts features"], sizes: list[int]) -> Float[Tensor, "batch features"]:
    """Return for every row at hand the values of its part."""
    pieces = zip(values.split([count for count, _ in runs(sizes)]), runs(sizes), strict=True)
    return torch.cat([piece.unsqueeze(1).expand(-1, size, -1).flatten(0, 1) for piece, (_, size) in pieces])


def runs(sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Return how often each size stands in a row, and the size: parts of equal size are handled as one block."""
    return ((len(list(run)), size) for size, run in groupby(sizes))
