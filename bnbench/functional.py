"""Operations with a rule for stacks of replicas."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def linear(
    inputs: Float[Tensor, "batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
) -> Float[Tensor, "batch outputs"]:
    """Return inputs · weightᵀ + bias; under `vmap` one batched product whose results do not depend on the stack size.

    Computed as (weight · inputsᵀ)ᵀ: the gradient of the weights then comes out in the layout of the weights, where that
    of inputs · weightᵀ would be copied into it, a third of a step. A stack of outputs lies in memory as (replicas,
    outputs, batch).
    """
    # a product with a single row or column takes another route, with other rounding, in a stack of one
    if weight.shape[1] == 1:
        product = inputs * weight.T
    elif len(inputs) == 1:
        product = (weight * inputs).sum(1).unsqueeze(0)
    else:
        product = (weight @ inputs.T).T
    return product if bias is None else product + bias


def affine_of(
    values: Float[Tensor, "batch features"],
    scale: Float[Tensor, "..."] | None,
    weight: Float[Tensor, " features"] | None,
    bias: Float[Tensor, " features"] | None,
) -> Float[Tensor, "batch features"]:
    """Return weight · scale · values + bias; a scale that is None is 1, and so are weight and bias nothing together."""
    if weight is None or bias is None:
        return values if scale is None else values * scale
    return torch.addcmul(bias, values, weight if scale is None else weight * scale)


def batch_norm(
    inputs: Float[Tensor, "batch features"],
    running_mean: Float[Tensor, " features"] | None,
    running_variance: Float[Tensor, " features"] | None,
    weight: Float[Tensor, " features"] | None,
    bias: Float[Tensor, " features"] | None,
    *,
    momentum: float,
    eps: float,
) -> Float[Tensor, "batch features"]:
    """Return torch's training batch norm and move the running statistics in place; under `vmap` one call for the stack.

    The general rule of `vmap` takes scale and shift out of the kernel, and the stack for another layout: four passes
    over memory and a copy instead of one pass. To one channel it is no matter how many others there are.
    """
    result: Tensor = torch.ops.bnbench.batch_norm(inputs, running_mean, running_variance, weight, bias, momentum, eps)
    return result


def _channels_normed(channels: Tensor, *operands: Any) -> Tensor:
    # (channels, batch) as one image, in which a channel lies in one piece, and in the gradient too: the kernel's fast
    # way. Its other way adds up in another order, and only a stack of one, reshaped without a copy, would take it.
    mean, variance, weight, bias, momentum, eps = operands
    image = channels.contiguous().unsqueeze(0)
    normed = functional.batch_norm(image, mean, variance, weight, bias, True, momentum, eps)
    if normed.requires_grad:
        normed.register_hook(Tensor.contiguous)
    return normed.squeeze(0)


def _batch_norm_alone(inputs: Tensor, *operands: Any) -> Tensor:
    return _channels_normed(inputs.T, *operands).T


def _batch_norm_stacked(
    info: Any, in_dims: tuple[int | None, ...], inputs: Tensor, *operands: Any
) -> tuple[Tensor, int]:
    """Run the replicas as channels of one image; every tensor of the norm is stacked on its first dimension."""
    stack = inputs.movedim(in_dims[0] or 0, 0).transpose(1, 2)  # (replicas, features, batch)
    # a view, never a copy: the running ones are written
    running = [None if statistic is None else statistic.view(-1) for statistic in operands[:2]]
    parameters = [None if parameter is None else parameter.flatten() for parameter in operands[2:4]]
    channels = _channels_normed(stack.flatten(0, 1), *running, *parameters, *operands[4:])
    return channels.view(stack.shape).transpose(1, 2), 0


def grouped_product(
    matrices: Float[Tensor, "groups outputs inputs"], channels: Float[Tensor, "groups inputs batch"]
) -> Float[Tensor, "groups outputs batch"]:
    """Return matrix · channels of every group; under `vmap` one call, in which the replicas are more groups.

    Its operands and its gradient lie in one piece, so that its bits do not depend on what came before or comes after.
    """
    result: Tensor = torch.ops.bnbench.grouped_product(matrices, channels)
    return result


def _grouped_product_alone(matrices: Tensor, channels: Tensor) -> Tensor:
    channels = channels.contiguous()
    # a product with a single row or column takes another route, with other rounding, in a stack of one
    if channels.shape[1] == 1 or channels.shape[2] == 1:
        product = (matrices.unsqueeze(3) * channels.unsqueeze(1)).sum(2)
    else:
        product = matrices.contiguous() @ channels
    if product.requires_grad:
        product.register_hook(Tensor.contiguous)
    return product


def _grouped_product_stacked(info: Any, in_dims: tuple[int | None, ...], *operands: Tensor) -> tuple[Tensor, int]:
    """Run the groups of all replicas as one list of groups."""
    stacks = [
        operand.expand(info.batch_size, *operand.shape) if dim is None else operand.movedim(dim, 0)
        for operand, dim in zip(operands, in_dims, strict=True)
    ]
    product = _grouped_product_alone(*(stack.flatten(0, 1) for stack in stacks))
    return product.unflatten(0, (info.batch_size, -1)), 0


_LIBRARY = torch.library.Library("bnbench", "DEF")
_LIBRARY.define(
    "batch_norm(Tensor inputs, Tensor(a!)? running_mean, Tensor(b!)? running_variance, Tensor? weight, Tensor? bias, "
    "float momentum, float eps) -> Tensor"
)
_LIBRARY.impl("batch_norm", _batch_norm_alone, "CompositeImplicitAutograd")
torch.library.register_vmap("bnbench::batch_norm", _batch_norm_stacked, lib=_LIBRARY)
_LIBRARY.define("grouped_product(Tensor matrices, Tensor channels) -> Tensor")
_LIBRARY.impl("grouped_product", _grouped_product_alone, "CompositeImplicitAutograd")
torch.library.register_vmap("bnbench::grouped_product", _grouped_product_stacked, lib=_LIBRARY)
