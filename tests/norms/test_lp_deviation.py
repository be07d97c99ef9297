"""Batch norm by an lp deviation: Gaussian features come out with unit deviation, whatever the power."""

import re
from collections.abc import Callable
from math import inf, nan

import pytest
import torch
from torch import Tensor, nn

from bnbench.errors import UserError

BuildLayer = Callable[..., nn.Module]
POWERS = (1.0, 1.5, 2.0, 3.0, 10.0, None)


def deviations(layer: nn.Module, rows: int) -> Tensor:
    """Of 4,000 Gaussian features over a batch, before scale and shift."""
    stream = torch.Generator().manual_seed(0)
    x = 5 + 3 * torch.randn(rows, 4000, generator=stream, dtype=torch.float64)
    return ((layer(x) - layer.bias) / layer.weight).detach().std(0)


@pytest.mark.parametrize("rows", [60, 512])
@pytest.mark.parametrize("p", POWERS)
def test_gaussian_features_come_out_with_unit_deviation(build_layer: BuildLayer, p: float | None, rows: int) -> None:
    """In the mean over features. The higher the power, the more a batch of few rows falls short of its moments."""
    mean = deviations(build_layer("l1_batch", 4000, p=p), rows).mean().item()
    assert mean == pytest.approx(1, abs=0.02 if p is None or p <= 3 else 0.2)


@pytest.mark.parametrize("rows", [2, 3, 8])
def test_constant_of_the_largest_deviation_follows_the_number_of_rows(build_layer: BuildLayer, rows: int) -> None:
    """So few rows are far from their Gaussian, but the deviation neither vanishes nor grows with them."""
    found = deviations(build_layer("l1_batch", 4000, p=None), rows).mean().item()
    assert 0.9 < found < 1.6


def test_power_2_is_batch_norm(build_layer: BuildLayer, rows: Tensor) -> None:
    mine, theirs = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    outputs, expected = build_layer("l1_batch", p=2)(mine), build_layer("batch")(theirs)
    torch.testing.assert_close(outputs, expected)
    outputs.sin().sum().backward()
    expected.sin().sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad)


def test_high_powers_approach_the_largest_deviation(build_layer: BuildLayer, rows: Tensor) -> None:
    """All but for the constant, of which no power has that of the limit."""
    high, limit = (build_layer("l1_batch", p=p, eps=1e-12) for p in (1e4, None))
    ratio = (high(rows) - high.bias) / (limit(rows) - limit.bias)
    torch.testing.assert_close(ratio, ratio[:1, :1].expand_as(ratio), rtol=1e-3, atol=0)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-20, 1.0, 1e15])
def test_gradients_are_finite_for_any_power(build_layer: BuildLayer, p: float | None, scale: float) -> None:
    layer = build_layer("l1_batch", dtype=torch.float32, p=p)
    x = scale * torch.randn(6, 12, generator=torch.Generator().manual_seed(0))
    x[:, 0] = scale  # a constant feature
    x[:4, 1] = scale  # rows at one place
    x.requires_grad_()
    outputs = layer(x)
    (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum().backward()
    assert all(torch.isfinite(tensor).all() for tensor in (outputs, x.grad, *layer.buffers()))


@pytest.mark.parametrize("p", [0.99, 0, -1.0, 10_001, 1e306, inf, nan])
def test_power_below_1_or_beyond_what_can_be_told_from_the_limit_is_refused(build_layer: BuildLayer, p: float) -> None:
    message = (
        rf"^norm 'l1_batch': p={re.escape(str(p))}: expected a number from 1 to 10000, or null for the largest "
        r"deviation \(set norm.p\)$"
    )
    with pytest.raises(UserError, match=message):
        build_layer("l1_batch", p=p)
