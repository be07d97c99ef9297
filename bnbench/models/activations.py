"""Activations that stack: the last bit of a value does not depend on where in the stack it stands.

Torch's own kernels for these compute most of a tensor by vector instructions and what is left over one by one, which
rounds differently; what is left over moves with the number of replicas. `exp`, `expm1` and `erf` round one way
everywhere, and so do the four operations.

The gradients can be differentiated once more, for curvature: they write into nothing that a derivative would need.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

# λ and α of arXiv:1706.02515
SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772

Value = Callable[[Tensor], Tensor]
# (gradient of the output, input, output) → gradient of the input
Backward = Callable[[Tensor, Tensor, Tensor], Tensor]


def sigmoid(inputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return 1 / (1 + exp(−x)); any shape."""
    return _elementwise(inputs, _sigmoid, lambda g, x, y: torch.ops.aten.sigmoid_backward(g, y))


def silu(inputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return x / (1 + exp(−x)); any shape (arXiv:1606.08415)."""
    return _elementwise(inputs, lambda x: _sigmoid(x).mul_(x), _silu_backward)


def gelu(inputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return x Φ(x), Φ being the normal distribution function; any shape (arXiv:1606.08415)."""
    return _elementwise(inputs, lambda x: _normal_distribution(x).mul_(x), _gelu_backward)


def selu(inputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return λ x for x > 0, else λ α (exp(x) − 1); any shape (arXiv:1706.02515)."""
    return _elementwise(inputs, _selu, _selu_backward)


class StackableActivation(nn.Module):
    """A function of this file as a module."""

    def __init__(self, function: Value) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the function of the inputs, in their shape."""
        return self.function(inputs)

    def extra_repr(self) -> str:
        """Return the name of the function."""
        return self.function.__name__


def stackable_activation(module: nn.Module) -> nn.Module:
    """Return what takes the place of one of torch's activations, or the module itself where there is nothing to."""
    if type(module) is nn.GELU and module.approximate != "none":
        return module
    function = _STACKABLE.get(type(module))
    return module if function is None else StackableActivation(function)


_STACKABLE: dict[type[nn.Module], Value] = {nn.Sigmoid: sigmoid, nn.SiLU: silu, nn.GELU: gelu, nn.SELU: selu}


def _sigmoid(x: Tensor) -> Tensor:
    return x.neg().exp_().add_(1).reciprocal_()


def _silu_backward(gradient: Tensor, x: Tensor, _y: Tensor) -> Tensor:
    sigmoid_x = sigmoid(x)
    return (1 - sigmoid_x).mul_(x).add_(1).mul_(sigmoid_x).mul_(gradient)


def _normal_distribution(x: Tensor) -> Tensor:
    return (x * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)


def _gelu_backward(gradient: Tensor, x: Tensor, _y: Tensor) -> Tensor:
    density = (x * x).mul_(-0.5).exp_() * (1 / math.sqrt(2 * math.pi))
    return density.mul_(x).add_(_normal_distribution(x)).mul_(gradient)


def _selu(x: Tensor) -> Tensor:
    negative = x.clamp(max=0).expm1_().mul_(SELU_SCALE * SELU_ALPHA)
    return x.clamp(min=0).mul_(SELU_SCALE).add_(negative)


def _selu_backward(gradient: Tensor, _x: Tensor, y: Tensor) -> Tensor:
    return (y + SELU_SCALE * SELU_ALPHA).masked_fill_(y > 0, SELU_SCALE).mul_(gradient)


def _elementwise(inputs: Tensor, value: Value, backward: Backward) -> Tensor:
    result: Tensor = _Elementwise.apply(inputs, value, backward)  # type: ignore[no-untyped-call]  # torch: Function.apply
    return result


class _Elementwise(torch.autograd.Function):
    """y = value(x), number by number: to it a stack is a tensor like any other."""

    @staticmethod
    def forward(inputs: Tensor, value: Value, backward: Backward) -> Tensor:
        return value(inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Value, Backward], output: Tensor) -> None:
        ctx.function = inputs[2]
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.function(gradients[0], *ctx.saved_tensors), None, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], inputs: Tensor, value: Value, backward: Backward
    ) -> tuple[Tensor, int | None]:
        return _elementwise(inputs, value, backward), in_dims[0]
