"""Operations with a rule for stacks of replicas."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Outputs = tuple[Tensor | None, ...]


def linear(
    inputs: Float[Tensor, "batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
) -> Float[Tensor, "batch outputs"]:
    """Return inputs · weightᵀ + bias; under `vmap` one batched product whose results do not depend on the stack size.

    The general rule of `vmap` makes the gradient of the weights in another memory layout and copies it, a third of a
    step; here it is computed in the layout of the weights.
    """
    if bias is None:
        bias = weight.new_zeros(weight.shape[0])
    result: Tensor = _Linear.apply(inputs, weight, bias)  # type: ignore[no-untyped-call]  # torch: Function.apply
    return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.linear(inputs, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Outputs:
        (gradient,) = gradients
        inputs, weight = ctx.saved_tensors
        to_inputs = gradient @ weight if ctx.needs_input_grad[0] else None
        return to_inputs, gradient.T @ inputs, gradient.sum(0)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *operands: Tensor) -> tuple[Tensor, int]:
        stacked = (
            operand.expand(info.batch_size, *operand.shape) if dim is None else operand.movedim(dim, 0)
            for operand, dim in zip(operands, in_dims, strict=True)
        )
        return _StackedLinear.apply(*stacked), 0  # type: ignore[no-untyped-call]  # torch: Function.apply


class _StackedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        if weight.shape[1] == 1:
            # a single column takes another route, with other rounding, in a stack of one: compute it twice instead
            return torch.bmm(inputs, weight.expand(-1, 2, -1).transpose(1, 2))[..., :1] + bias.unsqueeze(1)
        return torch.baddbmm(bias.unsqueeze(1), inputs, weight.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Outputs:
        (gradient,) = gradients
        inputs, weight = ctx.saved_tensors
        to_inputs = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        return to_inputs, torch.bmm(gradient.transpose(1, 2), inputs), gradient.sum(1)
