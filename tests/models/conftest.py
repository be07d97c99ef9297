"""Networks of one seed from model keys."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from bnbench.config import ModelConfig
from bnbench.models import build_network
from bnbench.norms import choose_norm


def model_keys(**changes: Any) -> dict[str, Any]:
    return vars(ModelConfig(**({"name": "mlp", "hidden": [20, 20, 12]} | changes)))


def network_of(norm: str | dict[str, Any] = "none", *, seed: int = 0, outputs: int = 3, **changes: Any) -> nn.Module:
    chosen = choose_norm({"name": norm} if isinstance(norm, str) else norm)
    return build_network(model_keys(**changes), num_inputs=8, num_outputs=outputs, norm=chosen, seed=seed)


@pytest.fixture(scope="session")
def keys() -> Callable[..., dict[str, Any]]:
    return model_keys


@pytest.fixture(scope="session")
def network() -> Callable[..., nn.Module]:
    return network_of
