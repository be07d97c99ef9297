"""Reductions over ranks that gradients flow through, with a rule for stacks: one exchange for all replicas."""

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd import Function


class _Sum(Function):
    """y = Σ x over ranks. Every rank's loss depends on y, so the gradient of x is the sum of theirs: Σ dL/dy."""

    @staticmethod
    def forward(values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return sum_over_ranks(gradient)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None], values: Tensor) -> tuple[Tensor, int | None]:
        return sum_over_ranks(values), in_dims[0]


class _Maximum(Function):
    """y = max x over ranks. Its gradient goes to the ranks that hold it, in equal shares, as `amax` does with rows."""

    @staticmethod
    def forward(values: Tensor) -> Tensor:
        largest = values.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(largest, op=distributed.ReduceOp.MAX)
        return largest

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        values, largest = ctx.saved_tensors
        held = (values == largest).to(gradient.dtype)
        return held * sum_over_ranks(gradient) / sum_over_ranks(held)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None], values: Tensor) -> tuple[Tensor, int | None]:
        return maximum_over_ranks(values), in_dims[0]


def sum_over_ranks(values: Tensor) -> Tensor:
    """Return the elementwise sum over ranks, on every rank."""
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


def maximum_over_ranks(values: Tensor) -> Tensor:
    """Return the elementwise largest over ranks, on every rank."""
    largest: Tensor = _Maximum.apply(values)  # type: ignore[no-untyped-call]
    return largest
