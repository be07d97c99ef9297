"""Activations that stack: torch's values and gradients, the same bits wherever a replica stands."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bnbench.models.activations import StackableActivation, gelu, selu, sigmoid, silu, stackable_activation

PAIRS = {
    "sigmoid": (sigmoid, torch.sigmoid),
    "silu": (silu, functional.silu),
    "gelu": (gelu, functional.gelu),
    "selu": (selu, functional.selu),
}
Function = Callable[[Tensor], Tensor]


def value_and_gradient(function: Function, inputs: Tensor) -> tuple[Tensor, Tensor]:
    inputs = inputs.clone().requires_grad_()
    outputs = function(inputs)
    (gradient,) = torch.autograd.grad((outputs * torch.linspace(-2, 2, outputs.shape[-1])).sum(), inputs)
    return outputs.detach(), gradient


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients_are_torchs(name: str, dtype: torch.dtype) -> None:
    ours, torchs = PAIRS[name]
    inputs = torch.linspace(-30, 30, 4001, dtype=dtype).view(1, -1)
    for mine, theirs in zip(value_and_gradient(ours, inputs), value_and_gradient(torchs, inputs), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("name", PAIRS)
def test_far_out_everything_stays_finite(name: str) -> None:
    inputs = torch.tensor([[-1e4, -200.0, -90.0, 0.0, 90.0, 200.0, 1e4]])
    outputs, gradient = value_and_gradient(PAIRS[name][0], inputs)
    assert torch.isfinite(outputs).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(PAIRS[name][0], (inputs,))
    assert torch.autograd.gradcheck(torch.vmap(PAIRS[name][0]), (inputs,))


@pytest.mark.parametrize("name", PAIRS)
def test_curvature_is_that_of_finite_differences_of_the_gradient(name: str) -> None:
    inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradgradcheck(PAIRS[name][0], (inputs,))
    assert torch.autograd.gradgradcheck(torch.vmap(PAIRS[name][0]), (inputs,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(7, 13), (13, 10), (16, 36), (2, 3), (33, 52), (1, 1)])
@pytest.mark.parametrize("name", [*PAIRS, "relu", "tanh"])
def test_bits_do_not_depend_on_the_place_in_the_stack(name: str, shape: tuple[int, int], dtype: torch.dtype) -> None:
    functions: dict[str, Function] = {
        **{key: pair[0] for key, pair in PAIRS.items()},
        "relu": torch.relu,
        "tanh": torch.tanh,
    }
    function = torch.vmap(functions[name])
    stack = 2 * torch.randn(37, *shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    whole = value_and_gradient(function, stack)
    for part in (slice(0, 1), slice(36, 37), slice(5, 12), slice(1, 4)):
        for one, other in zip(whole, value_and_gradient(function, stack[part].clone()), strict=True):
            assert torch.equal(one[part], other)


def test_modules_of_torch_are_replaced_where_they_do_not_stack() -> None:
    for module in (nn.Sigmoid(), nn.SiLU(), nn.GELU(), nn.SELU()):
        replaced = stackable_activation(module)
        assert isinstance(replaced, StackableActivation)
        torch.testing.assert_close(replaced(torch.tensor([0.3, -2.0])), module(torch.tensor([0.3, -2.0])))
    for module in (nn.ReLU(), nn.Tanh(), nn.GELU(approximate="tanh"), nn.Linear(2, 2)):
        assert stackable_activation(module) is module
