"""Layers with parameters that are not at their start, so that each of them shows."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bnbench.norms import NORMS, choose_norm

BuildLayer = Callable[..., nn.Module]


def build(name: str, num_features: int = 12, *, dtype: torch.dtype = torch.float64, **options: Any) -> nn.Module:
    """A layer of a registered norm in the given precision; of kind weight, from a Linear of 7 inputs."""
    chosen = choose_norm({"name": name, **options})
    if NORMS.get(name).kind == "weight":
        torch.manual_seed(0)
        layer = chosen.replace(nn.Linear(7, num_features), seed=0, name="")
    else:
        layer = chosen.maker(0)(num_features)
    stream = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=stream))
    return layer.to(dtype)


@pytest.fixture(scope="session")
def build_layer() -> BuildLayer:
    return build


@pytest.fixture
def rows() -> torch.Tensor:
    """(9, 12) correlated inputs whose features differ in place and spread."""
    return inputs_of(12)


def inputs_of(num_features: int, num_rows: int = 9) -> torch.Tensor:
    stream = torch.Generator().manual_seed(2)
    values = torch.randn(num_rows, num_features, generator=stream, dtype=torch.float64)
    return values * torch.linspace(0.5, 3, num_features, dtype=torch.float64) + torch.arange(num_features) / 4


@pytest.fixture(scope="session")
def make_inputs() -> Callable[..., torch.Tensor]:
    return inputs_of
