"""An option that is set and changes nothing is refused: it would give one run a second name and id."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.norms import NORMS

BuildLayer = Callable[..., nn.Module]
NOT_REMEMBERING: dict[str, Any] = {"running_statistics": False}
CENTRING: dict[str, Any] = {"divide_by_deviation": False}
SCALING: dict[str, Any] = {"subtract_mean": False}
BOUNDED: dict[str, Any] = {"max_scale": 1.0, "max_shift": 0.0}
# norm, options, what is set beside them, and the words that say why it has no effect
UNUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("batch", NOT_REMEMBERING, {"momentum": 0.5}, "running_statistics=false"),
    ("batch", NOT_REMEMBERING, {"momentum": None}, "running_statistics=false"),
    ("batch", NOT_REMEMBERING, {"unbiased_running_variance": False}, "running_statistics=false"),
    ("batch", CENTRING, {"eps": 1e-3}, "divide_by_deviation=false"),
    ("batch", CENTRING, {"unbiased_running_variance": False}, "divide_by_deviation=false"),
    ("batch", SCALING, {"unbiased_running_variance": False}, "subtract_mean=false"),
    ("batch", {"momentum": 0.0}, {"unbiased_running_variance": False}, "momentum=0"),
    ("batch_renorm", BOUNDED, {"warmup_steps": 0}, "max_scale=1 and max_shift=0"),
    ("batch_renorm", BOUNDED, {"ramp_steps": 2}, "max_scale=1 and max_shift=0"),
]


@pytest.mark.parametrize(("name", "options", "unused", "because"), UNUSED)
def test_option_without_effect_is_refused_and_its_default_is_fine(
    build_layer: BuildLayer, name: str, options: dict[str, Any], unused: dict[str, Any], because: str
) -> None:
    ((option, value),) = unused.items()
    message = f"norm '{name}': {option}={value} has no effect with {because}"
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        build_layer(name, **options, **unused)
    build_layer(name, **options, **{option: NORMS.get(name).defaults()[option]})
    build_layer(name, **unused)


def test_message_says_the_default_as_it_is_written_on_the_command_line(build_layer: BuildLayer) -> None:
    with pytest.raises(UserError, match=r"leave it at its default \(norm.unbiased_running_variance=true\)$"):
        build_layer("batch", subtract_mean=False, unbiased_running_variance=False)


def test_ramp_of_one_step_is_refused_as_that_of_none(build_layer: BuildLayer) -> None:
    with pytest.raises(UserError, match=r"^norm 'batch_renorm': ramp_steps=1 has no effect.*set norm.ramp_steps=0"):
        build_layer("batch_renorm", ramp_steps=1)


@pytest.mark.parametrize("ramp_steps", [0, 2])
def test_other_ramps_differ_from_each_other(
    build_layer: BuildLayer, make_inputs: Callable[..., Tensor], ramp_steps: int
) -> None:
    options = {"warmup_steps": 1, "max_scale": 1.5, "max_shift": 0.1}
    layer, other = (build_layer("batch_renorm", ramp_steps=steps, **options) for steps in (ramp_steps, 3))
    outputs = [(layer(x), other(x)) for x in (make_inputs(12) * step for step in (1, 2))]
    assert torch.equal(*outputs[0])
    assert not torch.allclose(*outputs[1])
