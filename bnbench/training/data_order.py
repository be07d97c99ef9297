"""The order in which each replica sees the training rows."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from bnbench.errors import UserError
from bnbench.seeding import generator


class DataOrder:
    """An endless stream of permutations of the rows, concatenated and cut into batches of exactly B; one per replica.

    No short last batch: a batch may end one permutation and begin the next. The stream depends on the seed and the
    number of rows alone, so it is the same under every norm. Yields (R, B) row numbers, on the CPU.
    One permutation per replica is held, in the narrowest type that can count the rows: 4 bytes per row and replica up
    to two thousand million rows.
    """

    def __init__(self, seeds: Sequence[int], *, num_rows: int, batch_size: int) -> None:
        if not 1 <= batch_size <= num_rows:
            raise UserError(
                f"budget.batch_size={batch_size}: expected between 1 and the {num_rows} rows of the training part"
            )
        self.num_rows = num_rows
        self.batch_size = batch_size
        self._streams = [generator(seed, "data order") for seed in seeds]
        self._permutations = torch.empty(len(seeds), num_rows, dtype=order_dtype(num_rows))
        self._position = num_rows  # nothing drawn yet

    def __iter__(self) -> Iterator[Int64[Tensor, "replicas batch"]]:
        while True:
            yield self.next_batch()

    def next_batch(self) -> Int64[Tensor, "replicas batch"]:
        """Return the next batch of every replica."""
        end = self._position + self.batch_size
        batch = self._permutations[:, self._position : end].to(torch.int64)
        if end > self.num_rows:
            self._draw()
            end -= self.num_rows
            batch = torch.cat([batch, self._permutations[:, :end].to(torch.int64)], dim=1)
        self._position = end
        return batch

    def skip(self, batches: int) -> None:
        """Go past so many batches, from the beginning: their permutations are drawn, which is all they depend on."""
        drawn = -(-batches * self.batch_size // self.num_rows)  # rounded up
        for _ in range(drawn):
            self._draw()
        self._position = batches * self.batch_size - (drawn - 1) * self.num_rows

    def _draw(self) -> None:
        """Write the next permutation of every replica over the last one."""
        for permutation, stream in zip(self._permutations, self._streams, strict=True):
            torch.randperm(self.num_rows, generator=stream, out=permutation)


def order_dtype(num_rows: int) -> torch.dtype:
    """Return the type in which row numbers are held; the numbers drawn are the same in both."""
    return torch.int32 if num_rows <= torch.iinfo(torch.int32).max else torch.int64
