"""The processes one run is spread over, as one of them sees the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor, distributed


@dataclass(frozen=True)
class Group:
    """`size` ranks that train the same replicas, each on rows of its own; this process is number `rank`.

    A group of one is a run that is not spread at all: nothing is communicated. The first rank evaluates, records and
    decides. `local_statistics`: norms take the statistics of a rank's own rows instead of the whole batch's.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009  # a torch.device never changes
    local_statistics: bool = False

    @property
    def is_spread(self) -> bool:
        """Return whether there are other ranks."""
        return self.size > 1

    @property
    def leads(self) -> bool:
        """Return whether this is the rank that evaluates and decides."""
        return self.rank == 0

    def own_rows(self, batch_size: int) -> slice:
        """Return which rows of a batch are this rank's."""
        sizes = share_out(batch_size, self.size)
        first = sum(sizes[: self.rank])
        return slice(first, first + sizes[self.rank])

    def sum(self, values: Tensor) -> Tensor:
        """Return the elementwise sum over ranks; no gradient flows."""
        if self.is_spread:
            values = values.clone(memory_format=torch.contiguous_format)
            distributed.all_reduce(values)
        return values

    def as_decided(self, numbers: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
        """Return what the first rank holds, on the CPU."""
        if not self.is_spread:
            return numbers
        held = numbers.to(self.device).contiguous()
        distributed.broadcast(held, src=0)
        return held.cpu()

    @torch.no_grad()
    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Add up the gradients of all ranks, in one exchange for each numeric type."""
        if not self.is_spread:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self._exchange([parameter.grad for parameter in parameters if parameter.grad is not None], summed=True)

    @torch.no_grad()
    def take_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the floating ones with those of the first rank."""
        if self.is_spread:
            self._exchange([tensor for tensor in tensors if tensor.is_floating_point()], summed=False)

    def _exchange(self, tensors: Sequence[Tensor], *, summed: bool) -> None:
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            alike = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.reshape(-1) for tensor in alike])
            if summed:
                distributed.all_reduce(flat)
            else:
                distributed.broadcast(flat, src=0)
            for tensor, values in zip(alike, flat.split([tensor.numel() for tensor in alike]), strict=True):
                tensor.copy_(values.view(tensor.shape))


ALONE = Group()


def share_out(rows: int, ranks: int) -> list[int]:
    """Return how many rows each rank takes: as evenly as can be, larger shares first.

    >>> share_out(7, 3)
    [3, 2, 2]
    """
    return [rows // ranks + (rank < rows % ranks) for rank in range(ranks)]
