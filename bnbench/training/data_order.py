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
    """

    def __init__(self, seeds: Sequence[int], *, num_rows: int, batch_size: int) -> None:
        if not 1 <= batch_size <= num_rows:
            raise UserError(
                f"budget.batch_size={batch_size}: expected between 1 and the {num_rows} rows of the training part"
            )
        self.num_rows = num_rows
        self.batch_size = batch_size
        self._streams = [generator(seed, "data order") for seed in seeds]
        self._permutations = self._draw()
        self._position = 0

    def __iter__(self) -> Iterator[Int64[Tensor, "replicas batch"]]:
        while True:
            yield self.next_batch()

    def next_batch(self) -> Int64[Tensor, "replicas batch"]:
        """Return the next batch of every replica."""
        end = self._position + self.batch_size
        batch = self._permutations[:, self._position : end]
        if end > self.num_rows:
            self._permutations = self._draw()
            end -= self.num_rows
            batch = torch.cat([batch, self._permutations[:, :end]], dim=1)
        self._position = end
        return batch

    def _draw(self) -> Tensor:
        return torch.stack([torch.randperm(self.num_rows, generator=stream) for stream in self._streams])
