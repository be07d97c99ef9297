"""The one primitive every batch-coupled norm takes its statistics from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Moments(NamedTuple):
    """Statistics of a batch per feature: the number of rows, their mean and their biased variance."""

    rows: int
    mean: Float[Tensor, " features"]
    variance: Float[Tensor, " features"]


@dataclass(frozen=True)
class Shard:
    """What one rank holds of a batch: its rows from `first_row` on, of `rows` in all.

    `sum` and `maximum` reduce a tensor over the ranks, elementwise and differentiably; every rank gets the result.
    """

    rows: int
    first_row: int
    sum: Callable[[Tensor], Tensor]
    maximum: Callable[[Tensor], Tensor]


class BatchStatistics(nn.Module):
    """Sums, means and maxima over the rows of the whole batch, whoever holds them.

    Where training is spread over ranks, `shard` is set on every `BatchStatistics` of the network, and in training each
    reduction is over the rows of all ranks: that synchronises any batch-coupled norm without touching the norm. An
    evaluation is of one rank. Computed in float32 for half precision inputs.

    `noise_from` is where in the whole batch the rows at hand begin, also where statistics are those of the rank alone:
    a norm that draws per row draws from there on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shard: Shard | None = None
        self.noise_from = 0

    @property
    def shard(self) -> Shard | None:
        """Return what this rank holds of the batch, where that is not all of it."""
        return self._shard if self.training else None

    @shard.setter
    def shard(self, shard: Shard | None) -> None:
        self._shard = shard
        self.noise_from = self.noise_from if shard is None else shard.first_row

    def rows(self, values: Float[Tensor, "batch ..."]) -> int:
        """Return the number of rows of the whole batch."""
        return len(values) if self.shard is None else self.shard.rows

    def first_row(self) -> int:
        """Return where in the whole batch the rows at hand begin."""
        return 0 if self.shard is None else self.shard.first_row

    def sum(self, values: Float[Tensor, "batch ..."]) -> Float[Tensor, "..."]:
        """Return Σ over the rows."""
        return self.reduce(at_least_float32(values).sum(0))

    def reduce(self, sums: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the sum over ranks of what each has summed over rows of its own."""
        return sums if self.shard is None else self.shard.sum(sums)

    def mean(self, values: Float[Tensor, "batch ..."]) -> Float[Tensor, "..."]:
        """Return Σ over the rows / number of rows."""
        if self.shard is None:
            return at_least_float32(values).mean(0)
        return self.sum(values) / self.shard.rows

    def maximum(self, values: Float[Tensor, "batch ..."]) -> Float[Tensor, "..."]:
        """Return the largest over the rows."""
        largest = at_least_float32(values).amax(0)
        return largest if self.shard is None else self.shard.maximum(largest)

    def moments(self, inputs: Float[Tensor, "batch features"]) -> Moments:
        """Return rows, mean μ = Σx/n and variance σ² = Σ(x − μ)²/n, in two passes.

        The variance is centred before it is squared, so an offset far above the spread costs no digits.
        """
        mean = self.mean(inputs)
        centred = at_least_float32(inputs) - mean
        return Moments(self.rows(inputs), mean, self.mean(centred * centred))


def at_least_float32(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the values in float32 if they are in half precision, else as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def move_average(average: Float[Tensor, "..."], value: Float[Tensor, "..."], *, share: float | Tensor) -> None:
    """Move a running average in place, r ← (1 − share) r + share · value; no gradient flows into it."""
    with torch.no_grad():
        # multiply and add rather than lerp_, which has no rule for stacks
        average.mul_(1 - share).add_(value.detach() * share)


def require_two_rows(norm_in_words: str, rows: int, *, training: bool = True) -> None:
    """Raise ValueError for a batch of one row: over it every variance is 0."""
    if rows < 2:
        doing = "train" if training else "evaluate without running statistics"
        raise ValueError(f"{norm_in_words} needs at least 2 rows to {doing}, got a batch of {rows}")
