"""Options that no norm can use are refused by name, value and range."""

from collections.abc import Callable
from math import inf, nan

import pytest
import torch
from torch import nn

from bnbench.errors import UserError
from bnbench.norms import NORMS

WITH_EPS = [name for name in NORMS.names() if "eps" in NORMS.get(name).defaults()]


def test_most_norms_have_an_eps() -> None:
    assert {"batch", "group", "instance", "layer", "rms"} <= set(WITH_EPS)


@pytest.mark.parametrize("value", [0.0, -1e-5, -1, inf, -inf, nan])
@pytest.mark.parametrize("name", WITH_EPS)
def test_eps_that_is_not_above_0_is_refused(build_layer: Callable[..., nn.Module], name: str, value: float) -> None:
    message = rf"^norm '{name}': eps={value}: expected a number above 0 \(set norm.eps\)$"
    with pytest.raises(UserError, match=message):
        build_layer(name, eps=value)


@pytest.mark.parametrize("value", [1e-12, 1e-3, 1])
@pytest.mark.parametrize("name", WITH_EPS)
def test_any_eps_above_0_is_fine(
    build_layer: Callable[..., nn.Module], rows: torch.Tensor, name: str, value: float
) -> None:
    assert torch.isfinite(build_layer(name, eps=value)(rows)).all()


@pytest.mark.parametrize("value", [-0.1, 1.0001, 5, inf, nan])
def test_momentum_outside_0_to_1_is_refused(build_layer: Callable[..., nn.Module], value: float) -> None:
    message = rf"^norm 'batch': momentum={value}: expected a number in \[0, 1\] \(set norm.momentum\)$"
    with pytest.raises(UserError, match=message):
        build_layer("batch", momentum=value)


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 1, 1.0])
def test_running_mean_moves_by_the_momentum(
    build_layer: Callable[..., nn.Module], rows: torch.Tensor, value: float
) -> None:
    layer = build_layer("batch", momentum=value)
    layer(rows)
    torch.testing.assert_close(layer.get_buffer("running_mean"), value * rows.mean(0))
