"""Right norms fail no check: every registered one, and torch's layers."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from bnbench.conformance import Verdict, check_norm
from bnbench.norms import NORMS

pytestmark = pytest.mark.slow  # every check on every norm: minutes


@pytest.mark.parametrize("target", [*NORMS.names(), "torch.nn:LayerNorm", "torch.nn:RMSNorm", "torch.nn:BatchNorm1d"])
def test_fails_nowhere(target: str) -> None:
    card = check_norm(target, with_costs=False)
    card.raise_for_failures()
    assert card.traits is not None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("batch", {"affine": False}),
        ("batch", {"momentum": None}),
        ("batch", {"running_statistics": False}),
        ("batch", {"subtract_mean": False}),
        ("batch", {"divide_by_deviation": False}),
        ("batch", {"momentum": 0.01, "eps": 1e-3, "unbiased_running_variance": False}),
        ("ghost_batch", {"ghost_rows": 2}),
        ("ghost_batch", {"ghost_rows": 23}),
        ("filter_response", {"threshold": False}),
        ("layer", {"affine": False}),
    ],
)
def test_options_fail_nowhere(name: str, options: dict[str, Any]) -> None:
    check_norm(name, options=options, with_costs=False).raise_for_failures()


@pytest.mark.parametrize(
    "name",
    [
        "RootMeanSquareInFloat32",
        "CentredByMemory",
        "Ranks",
        "LargestThree",
        "Rounded",
        "LearnedEpsilon",
        "RootOfTemperature",
        "Softmax",
        "GlobalResponse",
        "LastMean",
        "Pairwise",
    ],
)
def test_right_norms_of_strangers_fail_nowhere(plant: Callable[[str], Callable[..., nn.Module]], name: str) -> None:
    """And only the one that replaces its gradient is said to do so; no parameter that acts is called idle."""
    card = check_norm(plant(f"right_norms:{name}"), with_costs=False)
    card.raise_for_failures()
    noted = {found.check for found in card.of(Verdict.NOTE)}
    assert ("gradients_exact" in noted) == (name == "Rounded")
    assert "gradients_to_parameters" not in noted
