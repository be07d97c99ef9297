"""Constant features, large offsets, tiny and huge values, the smallest batch: finite outputs and gradients."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bnbench.norms import NORMS


def hard(kind: str, num_rows: int, num_features: int) -> Tensor:
    values = torch.randn(num_rows, num_features, generator=torch.Generator().manual_seed(0))
    return {
        "constant": torch.full_like(values, 3.0),
        "zero": torch.zeros_like(values),
        "one constant feature": values * (torch.arange(num_features) > 0),
        "offset": values + 1e4,
        "tiny": values * 1e-20,
        "huge": values * 1e15,
    }[kind]


@pytest.mark.parametrize("num_rows", ["smallest", 16])
@pytest.mark.parametrize("kind", ["constant", "zero", "one constant feature", "offset", "tiny", "huge"])
@pytest.mark.parametrize("name", NORMS.names())
def test_outputs_gradients_and_state_stay_finite(
    build_layer: Callable[..., nn.Module], name: str, kind: str, num_rows: int | str
) -> None:
    count = NORMS.get(name).minimum_batch if num_rows == "smallest" else int(num_rows)
    layer = build_layer(name, dtype=torch.float32)
    x = hard(kind, count, 7 if NORMS.get(name).kind == "weight" else 12).requires_grad_()
    outputs = layer(x)
    (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum().backward()
    tensors = [outputs, x.grad, *(parameter.grad for parameter in layer.parameters()), *layer.buffers()]
    assert all(torch.isfinite(tensor).all() for tensor in tensors if tensor is not None)
    assert torch.isfinite(layer.eval()(x)).all()


@pytest.mark.parametrize("name", NORMS.names())
def test_offset_costs_no_digits_but_those_of_the_inputs(build_layer: Callable[..., nn.Module], name: str) -> None:
    """float32 at an offset of 1e4 against float64 on the very same numbers: no worse than a few roundings of them."""
    x = hard("offset", 64, 7 if NORMS.get(name).kind == "weight" else 12)
    single, double = build_layer(name, dtype=torch.float32), build_layer(name)
    expected = double(x.double())
    signs = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    rounding = 2**-10  # between neighbours among float32 numbers near 1e4
    sensitivity = (build_layer(name)(x.double() + rounding * signs) - expected).abs().max()
    error = (single(x).double() - expected).abs().max()
    assert error <= 2 * sensitivity + 1e-6 * expected.abs().max(), error / sensitivity
    variances = [value for key, value in single.named_buffers() if "variance" in key]
    exact = [value for key, value in double.named_buffers() if "variance" in key]
    for variance, other in zip(variances, exact, strict=True):
        torch.testing.assert_close(variance.double(), other, rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", [name for name in NORMS.names() if NORMS.get(name).batch_coupled])
def test_batch_of_one_is_refused_in_training_and_fine_in_evaluation(
    build_layer: Callable[..., nn.Module], rows: Tensor, name: str
) -> None:
    layer, row = build_layer(name), rows[:1] if NORMS.get(name).kind == "activation" else rows[:1, :7]
    with pytest.raises(ValueError, match="at least 2 rows to train, got a batch of 1"):
        layer(row)
    assert torch.isfinite(layer.eval()(row)).all()


@pytest.mark.parametrize("name", NORMS.names())
def test_batch_coupling_is_what_the_norm_says_of_itself(
    build_layer: Callable[..., nn.Module], make_inputs: Callable[..., Tensor], name: str
) -> None:
    """In training another row changes this row's output exactly if the norm says so; in evaluation it never does."""
    x = make_inputs(7 if NORMS.get(name).kind == "weight" else 12)
    changed = x.clone()
    changed[1:] += 1.0
    changed[1] *= 3.0
    layer, other = build_layer(name), build_layer(name)  # two, since a step may move the state
    assert torch.allclose(layer(x)[0], other(changed)[0]) != NORMS.get(name).batch_coupled
    layer.eval()
    torch.testing.assert_close(layer(x)[0], layer(changed)[0])
