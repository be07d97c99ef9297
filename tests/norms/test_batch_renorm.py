"""Batch renormalization: its schedule, its constants in the gradient, and what they make equal."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bnbench.errors import UserError

BuildLayer = Callable[..., nn.Module]
MakeInputs = Callable[..., Tensor]
AT_ONCE = {"warmup_steps": 0, "ramp_steps": 0}


def test_warm_up_is_batch_norm(build_layer: BuildLayer, make_inputs: MakeInputs) -> None:
    layer, batch = build_layer("batch_renorm", warmup_steps=3), build_layer("batch")
    for step in range(4):
        x = make_inputs(12) * (1 + step)
        assert torch.allclose(layer(x), batch(x)) == (step < 3)


def test_limits_grow_evenly_to_those_given(build_layer: BuildLayer, rows: Tensor) -> None:
    """Two features far from what is remembered, so that both limits are reached: the outputs show them."""
    layer = build_layer("batch_renorm", warmup_steps=2, ramp_steps=4, max_scale=3.0, max_shift=5.0, momentum=0.0)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.fill_(0)
    found = []
    for _ in range(8):
        outputs = layer(1e3 * rows + 1e6).detach()
        found.append([outputs.std(0, correction=0).mean().item(), outputs.mean().item()])
    shares = torch.tensor([0, 0, 0.25, 0.5, 0.75, 1, 1, 1])
    torch.testing.assert_close(torch.tensor(found), torch.stack([1 + 2 * shares, 5 * shares], dim=1))


def test_training_is_evaluation_where_nothing_is_clipped(build_layer: BuildLayer, make_inputs: MakeInputs) -> None:
    layer = build_layer("batch_renorm", **AT_ONCE, max_scale=1e6, max_shift=1e6)
    for step in range(3):
        layer(make_inputs(12) * (1 + step))
    expected = layer.eval()(make_inputs(12) - 2)
    torch.testing.assert_close(layer.train()(make_inputs(12) - 2), expected)


def test_corrections_are_constants_in_the_gradient(build_layer: BuildLayer, make_inputs: MakeInputs) -> None:
    layer, x = build_layer("batch_renorm", **AT_ONCE, max_scale=1.5, max_shift=0.5), make_inputs(12).requires_grad_()
    mean, deviation = layer.get_buffer("running_mean").clone(), layer.get_buffer("running_deviation").clone()
    layer(x).sin().sum().backward()
    other = x.detach().clone().requires_grad_()
    spread = (other.var(0, correction=0) + layer.eps).sqrt()
    r = (spread.detach() / deviation).clamp(1 / 1.5, 1.5)
    d = ((other.detach().mean(0) - mean) / deviation).clamp(-0.5, 0.5)
    (((other - other.mean(0)) / spread * r + d) * layer.weight + layer.bias).sin().sum().backward()
    torch.testing.assert_close(x.grad, other.grad)


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [("max_scale", 0.5, 1), ("max_shift", -0.1, 0), ("warmup_steps", -1, 0), ("ramp_steps", -1, 0)],
)
def test_limits_and_steps_out_of_range_are_refused(
    build_layer: BuildLayer, option: str, value: float, least: float
) -> None:
    message = rf"^norm 'batch_renorm': {option}={value}: expected a number of at least {least} \(set norm.{option}\)$"
    with pytest.raises(UserError, match=message):
        build_layer("batch_renorm", **{option: value})
