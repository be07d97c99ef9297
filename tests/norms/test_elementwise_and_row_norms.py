"""What is special to the norms that look at one row or one value: scale, filter_response, dynamic_tanh."""

from collections.abc import Callable
from math import inf, nan

import pytest
import torch
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.norms import choose_norm

FEATURES = 12


def at_start(name: str, **options: float) -> nn.Module:
    return choose_norm({"name": name, **options}).maker(0)(FEATURES)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e15, 1e25, 1e37])
def test_scale_gives_every_row_the_length_sqrt_features_whatever_its_size(rows: Tensor, size: float) -> None:
    """Squares of the larger ones are not float32 numbers."""
    inputs = (rows.float() * size).requires_grad_()
    outputs = at_start("scale")(inputs)
    torch.testing.assert_close(torch.linalg.vector_norm(outputs, dim=1), torch.full((len(rows),), FEATURES**0.5))
    outputs.sin().sum().backward()
    assert torch.isfinite(inputs.grad).all()
    assert torch.allclose(inputs.grad * size, at_size_one(rows), rtol=1e-4, atol=1e-5)


def at_size_one(rows: Tensor) -> Tensor:
    inputs = rows.float().requires_grad_()
    at_start("scale")(inputs).sin().sum().backward()
    return inputs.grad


def test_scale_is_linear_in_a_row_shorter_than_eps() -> None:
    inputs = torch.zeros(2, FEATURES).index_fill(0, torch.tensor([1]), 1e-30).requires_grad_()
    layer = at_start("scale", eps=0.01)
    outputs = layer(inputs)
    torch.testing.assert_close(outputs, inputs * 100 * FEATURES**0.5, rtol=1e-5, atol=0)
    outputs.sum().backward()
    torch.testing.assert_close(inputs.grad, torch.full_like(inputs, 100 * FEATURES**0.5))


@pytest.mark.parametrize("name", ["scale", "filter_response", "dynamic_tanh"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(rows: Tensor, name: str, dtype: torch.dtype) -> None:
    """Squares and sums of these inputs are not float16 numbers."""
    inputs = (1000 * rows).to(dtype)
    outputs = at_start(name)(inputs)
    assert outputs.dtype == dtype
    assert torch.equal(outputs, at_start(name)(inputs.float()).to(dtype))


def test_filter_response_never_lies_below_its_threshold(build_layer: Callable[..., nn.Module], rows: Tensor) -> None:
    thresholded, free = build_layer("filter_response"), build_layer("filter_response", threshold=False)
    outputs = thresholded(rows)
    threshold = thresholded.get_parameter("threshold")
    assert (outputs >= threshold).all()
    cut = outputs == threshold
    assert 0 < cut.sum() < cut.numel()
    assert "threshold" not in dict(free.named_parameters())
    for key, parameter in free.named_parameters():
        assert parameter.shape == thresholded.get_parameter(key).shape, key


def test_filter_response_is_a_sign_where_its_learned_eps_is_small(rows: Tensor) -> None:
    """Why ε is learned: a fixed small one leaves a sign, through which hardly a gradient comes."""
    found = {}
    for eps in (1e-12, 100.0):
        inputs = (rows + 0.1 * rows.sign()).float().requires_grad_()
        layer = at_start("filter_response", learned_eps=eps, threshold=False)
        outputs = layer(inputs)
        outputs.sum().backward()
        found[eps] = outputs.detach(), inputs.grad.median(), layer.get_parameter("learned_eps").grad
    torch.testing.assert_close(found[1e-12][0], rows.float().sign(), rtol=1e-3, atol=0)
    torch.testing.assert_close(found[100.0][0], (rows + 0.1 * rows.sign()).float() / 10, rtol=0.4, atol=0)
    assert found[1e-12][1] < 1e-4 < 0.05 < found[100.0][1]
    assert all(abs(gradient) > 0 for *_, gradient in found.values())


@pytest.mark.parametrize("value", [0.0, -0.5, inf, nan])
@pytest.mark.parametrize(("name", "option"), [("dynamic_tanh", "alpha"), ("filter_response", "learned_eps")])
def test_start_that_is_not_above_0_is_refused(name: str, option: str, value: float) -> None:
    message = rf"^norm '{name}': {option}={value}: expected a number above 0 \(set norm.{option}\)$"
    with pytest.raises(UserError, match=message):
        at_start(name, **{option: value})


def test_parameters_start_where_they_are_said_to() -> None:
    starts = {
        ("scale", "gain"): FEATURES**0.5,
        ("dynamic_tanh", "alpha"): 0.5,
        ("filter_response", "learned_eps"): 1e-4,
        ("filter_response", "threshold"): 0.0,
        ("affine", "weight"): 1.0,
        ("affine", "bias"): 0.0,
    }
    for (name, key), start in starts.items():
        parameter = at_start(name).get_parameter(key)
        torch.testing.assert_close(parameter.data, torch.full_like(parameter, start), msg=f"{name}.{key}")
