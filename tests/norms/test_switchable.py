"""Switchable normalization is batch norm at one end of its weights and layer norm at the other."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

BuildLayer = Callable[..., nn.Module]


@pytest.mark.parametrize("other", ["batch", "layer"])
def test_with_all_weight_on_one_part_it_is_that_norm(
    build_layer: BuildLayer, make_inputs: Callable[..., Tensor], other: str
) -> None:
    """In training, and in evaluation after it."""
    switchable, expected = build_layer("switchable"), build_layer(other)
    lean = torch.tensor([200.0, -200.0] if other == "batch" else [-200.0, 200.0])
    with torch.no_grad():
        for weights in ("mean_weights", "variance_weights"):
            switchable.get_parameter(weights).copy_(lean)
        for name, parameter in expected.named_parameters():
            switchable.get_parameter(name).copy_(parameter)
    for training in (True, True, False):
        x = make_inputs(12) * (1 + training)
        outputs = switchable.train(training)(x)
        torch.testing.assert_close(outputs, expected.train(training)(x), rtol=1e-11, atol=1e-12)


def test_parts_start_with_equal_weights(build_layer: BuildLayer, rows: Tensor) -> None:
    layer = build_layer("switchable")
    for weights in ("mean_weights", "variance_weights"):
        nn.init.zeros_(layer.get_parameter(weights))
    mean = (rows.mean(0) + rows.mean(1, keepdim=True)) / 2
    variance = (rows.var(0, correction=0) + rows.var(1, correction=0, keepdim=True)) / 2
    expected = (rows - mean) / (variance + 1e-5).sqrt() * layer.get_parameter("weight") + layer.get_parameter("bias")
    torch.testing.assert_close(layer(rows), expected)


def test_both_pairs_of_weights_learn(build_layer: BuildLayer, rows: Tensor) -> None:
    layer = build_layer("switchable")
    layer(rows).square().sin().sum().backward()
    for weights in ("mean_weights", "variance_weights"):
        gradient = layer.get_parameter(weights).grad
        assert gradient is not None
        assert (gradient.abs() > 1e-6).all()
