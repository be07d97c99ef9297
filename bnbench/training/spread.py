"""A network that trains on a part of each batch and knows it: which rows it has, whose statistics it takes."""

import torch
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.models import StackableAlphaDropout, StackableDropout
from bnbench.norms import BatchStatistics, Shard
from bnbench.training.collectives import maximum_over_ranks, sum_over_ranks
from bnbench.training.group import Group
from bnbench.training.replicas import Replicas

# Root mean square, relative to that of the outputs: the same arithmetic, summed in another order. A norm with a slope
# of hundreds makes 2e-4 of it in single outputs; statistics over other rows change all of them by tenths.
TOLERANCE = 1e-3


def spread(network: nn.Module, group: Group, *, batch_size: int) -> nn.Module:
    """Return the network, which from now on trains on this rank's rows of every batch.

    Dropout and noise are drawn by a row's place in the whole batch, so a row meets the same ones wherever it is. Norms
    take their statistics over all ranks, unless the group wants them local.
    """
    if not group.is_spread:
        return network
    first = group.own_rows(batch_size).start
    shard = Shard(batch_size, first, sum=sum_over_ranks, maximum=maximum_over_ranks)
    for module in network.modules():
        if isinstance(module, StackableDropout | StackableAlphaDropout):
            module.first_row = first
        elif isinstance(module, BatchStatistics):
            module.noise_from = first
            module.shard = None if group.local_statistics else shard
    return network


@torch.no_grad()
def check_spread(whole: Replicas, parted: Replicas, group: Group, *, inputs: Tensor, name: str) -> None:
    """Raise UserError, on every rank, where rows that are spread over ranks have other outputs than in one batch.

    That is so where a network takes statistics over the batch by other means than `BatchStatistics`, or draws by other
    means than `CounterRandom`. `inputs` is one batch (B, d); `whole` and `parted` are stacks of one.
    """
    own = group.own_rows(len(inputs))
    for stack in (whole, parted):
        stack.to(dtype=inputs.dtype)
    expected, outputs = whole(inputs)[:, own], parted(inputs[own])
    difference, size = (outputs - expected).square().mean().sqrt(), expected.square().mean().sqrt()
    is_right = difference <= TOLERANCE * size  # NaN is no agreement either
    if group.sum((~is_right).to(group.device, torch.int64)).item():
        raise UserError(
            f"the network with norm '{name}' gives other outputs when a batch is spread over {group.size} processes: "
            "it takes statistics over the batch, or draws, by means of its own. bnbench.norms.BatchStatistics and "
            "bnbench.seeding.CounterRandom know of the other processes; trainer.sync_batch_statistics=false takes "
            "each process by itself, which is another entry; trainer=cpu or trainer=gpu use one process"
        )
