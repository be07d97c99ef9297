"""Options that no norm can use are refused by name, value and range."""

import re
from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest
import torch
from torch import nn

from bnbench.errors import UserError
from bnbench.norms import NORMS

WITH_EPS = [name for name in NORMS.names() if "eps" in NORMS.get(name).defaults()]

WITH_MOMENTUM = [name for name in NORMS.names() if "momentum" in NORMS.get(name).defaults()]


def test_most_norms_have_an_eps() -> None:
    assert {"batch", "group", "instance", "layer", "rms"} <= set(WITH_EPS)


@pytest.mark.parametrize("value", [0.0, -1e-5, -1, inf, -inf, nan])
@pytest.mark.parametrize("name", WITH_EPS)
def test_eps_that_is_not_above_0_is_refused(build_layer: Callable[..., nn.Module], name: str, value: float) -> None:
    message = rf"^norm '{name}': eps={value}: expected a number above 0 \(set norm.eps\)$"
    with pytest.raises(UserError, match=message):
        build_layer(name, eps=value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1e-300, "lost in float32, which holds no number below 1.2e-38 in full; expected at least that"),
        (1e-38, "lost in float32, which holds no number below 1.2e-38 in full; expected at least that"),
        (1e39, "infinite in float32; expected at most 3e+38"),
        (10**40, "infinite in float32; expected at most 3e+38"),
    ],
)
@pytest.mark.parametrize("name", WITH_EPS)
def test_eps_that_float32_does_not_hold_is_refused(
    build_layer: Callable[..., nn.Module], name: str, value: float, reason: str
) -> None:
    with pytest.raises(UserError, match=re.escape(f"norm '{name}': eps={value}: {reason} (set norm.eps)")):
        build_layer(name, eps=value)


@pytest.mark.parametrize("value", [1.2e-38, 3.4e38])
@pytest.mark.parametrize("name", WITH_EPS)
def test_eps_that_float32_just_holds_gives_finite_numbers(
    build_layer: Callable[..., nn.Module], rows: torch.Tensor, name: str, value: float
) -> None:
    assert torch.isfinite(build_layer(name, dtype=torch.float32, eps=value)(rows.float())).all()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("batch_renorm", {"max_scale": 1e39}),
        ("batch_renorm", {"max_shift": 10**400}),
        ("noisy_batch", {"scale_deviation": 1e200}),
        ("filter_response", {"learned_eps": 1e300}),
        ("dynamic_tanh", {"alpha": 1e39}),
    ],
)
def test_number_beyond_float32_is_refused(
    build_layer: Callable[..., nn.Module], name: str, options: dict[str, Any]
) -> None:
    ((option, value),) = options.items()
    with pytest.raises(UserError, match=rf"^norm '{name}': {option}={re.escape(str(value))}: infinite in float32"):
        build_layer(name, **options)


@pytest.mark.parametrize("option", ["warmup_steps", "ramp_steps"])
def test_number_of_steps_is_one_that_can_be_counted(
    build_layer: Callable[..., nn.Module], rows: torch.Tensor, option: str
) -> None:
    build_layer("batch_renorm", **{option: 2**53})(rows)
    with pytest.raises(UserError, match=rf"^norm 'batch_renorm': {option}={2**53 + 1}: expected at most {2**53} "):
        build_layer("batch_renorm", **{option: 2**53 + 1})


@pytest.mark.parametrize("value", [1e-12, 1e-3, 1])
@pytest.mark.parametrize("name", WITH_EPS)
def test_any_eps_above_0_is_fine(
    build_layer: Callable[..., nn.Module], rows: torch.Tensor, name: str, value: float
) -> None:
    assert torch.isfinite(build_layer(name, eps=value)(rows)).all()


@pytest.mark.parametrize("value", [-0.1, 1.0001, 5, inf, nan])
@pytest.mark.parametrize("name", WITH_MOMENTUM)
def test_momentum_outside_0_to_1_is_refused(build_layer: Callable[..., nn.Module], name: str, value: float) -> None:
    message = rf"^norm '{name}': momentum={value}: expected a number in \[0, 1\] \(set norm.momentum\)$"
    with pytest.raises(UserError, match=message):
        build_layer(name, momentum=value)


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 1, 1.0])
@pytest.mark.parametrize("name", WITH_MOMENTUM)
def test_running_statistics_move_by_the_momentum(
    build_layer: Callable[..., nn.Module], rows: torch.Tensor, name: str, value: float
) -> None:
    """All of them, by this share of the way from where they start to the statistics of the batch."""
    layer, whole = build_layer(name, momentum=value), build_layer(name, momentum=1.0)
    starts = {key: buffer.clone() for key, buffer in layer.named_buffers() if "running_" in key}
    assert starts
    for one in (layer, whole):
        one(rows if NORMS.get(name).kind == "activation" else rows[:, :7])
    for key, start in starts.items():
        moved = (1 - value) * start + value * whole.get_buffer(key)
        torch.testing.assert_close(layer.get_buffer(key), moved, msg=key)
        assert not torch.equal(whole.get_buffer(key), start)


def test_batch_norm_that_neither_centres_nor_scales_is_refused(build_layer: Callable[..., nn.Module]) -> None:
    message = r"^norm 'batch': subtract_mean=False and divide_by_deviation=False: expected at least one to be true"
    with pytest.raises(UserError, match=message):
        build_layer("batch", subtract_mean=False, divide_by_deviation=False)
