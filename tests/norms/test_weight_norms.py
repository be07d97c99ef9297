"""What is special to the norms that take the place of a Linear: where they start, and weights without a direction."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from bnbench.errors import UserError
from bnbench.norms import NORMS, choose_norm

WEIGHT_NORMS = [name for name in NORMS.names() if NORMS.get(name).kind == "weight"]


def linear_of(num_inputs: int = 7, *, bias: bool = True) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(num_inputs, 12, bias=bias).double()


def in_place_of(linear: nn.Linear, name: str, **options: Any) -> nn.Module:
    return choose_norm({"name": name, **options}).replace(linear, seed=0, name="")


# what is left of the weights of a Linear, and of its products over the batch, where a norm starts
WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "weight": lambda weight: weight,
    "weight_mean_only_batch": lambda weight: weight,
    "weight_standardized": lambda weight: weight - weight.mean(1, keepdim=True),
    "spectral": lambda weight: weight / torch.linalg.matrix_norm(weight, ord=2),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", WEIGHT_NORMS)
def test_layer_starts_at_the_weights_it_is_given_as_near_as_it_can(name: str, bias: bool, rows: Tensor) -> None:
    linear, x = linear_of(bias=bias), rows[:, :7]
    products = x @ WEIGHTS[name](linear.weight).T
    if NORMS.get(name).batch_coupled:
        products = products - products.mean(0)
    expected = products + linear.bias if bias else products
    # σ₁ is not exact after 15 iterations
    tolerance = 0.02 if name == "spectral" else 1e-12
    torch.testing.assert_close(in_place_of(linear, name)(x), expected, rtol=tolerance, atol=tolerance)


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "zero": torch.zeros_like,
    "constant": lambda weight: torch.full_like(weight, 0.1),
    "tiny": lambda weight: weight * 1e-30,
    "huge": lambda weight: weight * 1e15,
}


@pytest.mark.parametrize("perturbed", [False, True])
@pytest.mark.parametrize("rows_changed", ["all", "one"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", WEIGHT_NORMS)
def test_weights_without_a_direction_stay_finite(
    name: str, change: str, rows_changed: str, perturbed: bool, rows: Tensor
) -> None:
    """In training and evaluation, where the layer starts and after its vectors have moved."""
    linear = linear_of().float()
    with torch.no_grad():
        weight = linear.weight if rows_changed == "all" else linear.weight[:1]
        weight.copy_(CHANGES[change](weight))
    layer = in_place_of(linear, name)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 if perturbed and parameter.dim() == 1 else 0.0)
    x = rows[:, :7].float().requires_grad_()
    for training in (True, False):
        outputs = layer.train(training)(x)
        outputs.sin().sum().backward()
        tensors = [outputs, x.grad, *(parameter.grad for parameter in layer.parameters()), *layer.buffers()]
        assert all(torch.isfinite(tensor).all() for tensor in tensors)


def test_standardised_weights_do_not_see_an_offset_or_scale_of_a_row(
    build_layer: Callable[..., nn.Module], rows: Tensor
) -> None:
    layer, x = build_layer("weight_standardized"), rows[:, :7]
    before = layer(x)
    with torch.no_grad():
        layer.direction.mul_(torch.linspace(0.5, 3, 12).unsqueeze(1)).add_(torch.arange(12.0).unsqueeze(1))
    torch.testing.assert_close(layer(x), before)


def test_standardised_rows_need_two_weights() -> None:
    with pytest.raises(
        UserError, match=r"'weight_standardized': a row of 1 weight less its mean is 0; expected at least 2"
    ):
        in_place_of(linear_of(1), "weight_standardized")


def test_mean_only_batch_norm_keeps_the_bias_out_of_the_mean(
    build_layer: Callable[..., nn.Module], rows: Tensor
) -> None:
    layer = build_layer("weight_mean_only_batch")
    torch.testing.assert_close(layer(rows[:, :7]).mean(0), layer.bias)
    assert [name for name, _ in layer.named_parameters()] == ["bias", "product.direction", "product.length"]


def test_spectral_norm_is_followed_until_it_is_1(rows: Tensor) -> None:
    layer, x = in_place_of(linear_of(), "spectral"), rows[:, :7]
    for _ in range(200):
        layer(x)
    singular_value = layer.left @ layer.weight @ layer.right
    torch.testing.assert_close(singular_value, torch.linalg.matrix_norm(layer.weight, ord=2))


def test_gradients_of_spectral_norm_are_torchs(build_layer: Callable[..., nn.Module], rows: Tensor) -> None:
    """u and v are constants to both; two passes before the one backward, as through a layer used twice."""
    layer, x = build_layer("spectral"), rows[:, :7]
    torchs = spectral_norm(nn.Linear(7, 12).double())
    original = torchs.parametrizations.weight.original
    with torch.no_grad():
        original.copy_(layer.weight)
        torchs.bias.copy_(layer.bias)
        torchs.parametrizations.weight[0]._u.copy_(layer.left)
        torchs.parametrizations.weight[0]._v.copy_(layer.right)
    for module in (layer, torchs):
        (module(x) * module(x + 1)).sum().backward()
    torch.testing.assert_close(layer.weight.grad, original.grad)
    torch.testing.assert_close(layer.bias.grad, torchs.bias.grad)


def test_spectral_norm_awakes_from_zero_weights(rows: Tensor) -> None:
    linear, x = linear_of(), rows[:, :7]
    given = linear.weight.detach().clone()
    nn.init.zeros_(linear.weight)
    layer = in_place_of(linear, "spectral")
    torch.testing.assert_close(layer(x), linear.bias.expand(9, 12))
    with torch.no_grad():
        layer.weight.copy_(given)
    for _ in range(200):
        layer(x)
    torch.testing.assert_close(layer(x), x @ (given / torch.linalg.matrix_norm(given, ord=2)).T + linear.bias)


@pytest.mark.parametrize("iterations", [0, -1])
def test_spectral_norm_without_iterations_is_refused(iterations: int) -> None:
    with pytest.raises(
        UserError, match=rf"'spectral': num_power_iterations={iterations}: expected at least 1 \(set norm"
    ):
        in_place_of(linear_of(), "spectral", num_power_iterations=iterations)
