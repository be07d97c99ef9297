"""The variants of batch norm: what each of them remembers, and what it does in evaluation."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

BuildLayer = Callable[..., nn.Module]


@pytest.mark.parametrize(
    ("options", "buffers"),
    [
        ({}, {"running_mean", "running_variance"}),
        ({"momentum": None}, {"running_mean", "running_variance", "steps"}),
        ({"divide_by_deviation": False}, {"running_mean"}),
        ({"subtract_mean": False}, {"running_variance"}),
        ({"running_statistics": False}, set()),
    ],
)
def test_only_what_is_used_is_remembered(
    build_layer: BuildLayer, options: dict[str, object], buffers: set[str]
) -> None:
    assert {key for key, _ in build_layer("batch", **options).named_buffers()} == buffers


def test_without_momentum_the_running_statistics_are_plain_averages(
    build_layer: BuildLayer, make_inputs: Callable[..., Tensor]
) -> None:
    layer, batches = build_layer("batch", momentum=None), [make_inputs(12) * factor for factor in (1, 3, 0.5)]
    for batch in batches:
        layer(batch)
    means = torch.stack([batch.mean(0) for batch in batches])
    variances = torch.stack([batch.var(0) for batch in batches])
    torch.testing.assert_close(layer.get_buffer("running_mean"), means.mean(0))
    torch.testing.assert_close(layer.get_buffer("running_variance"), variances.mean(0))


@pytest.mark.parametrize("subtract_mean", [True, False])
def test_without_running_statistics_evaluation_is_as_training(
    build_layer: BuildLayer, rows: Tensor, subtract_mean: bool
) -> None:
    layer = build_layer("batch", running_statistics=False, subtract_mean=subtract_mean)
    torch.testing.assert_close(layer.eval()(rows), layer.train()(rows))
    with pytest.raises(
        ValueError, match="needs at least 2 rows to evaluate without running statistics, got a batch of 1"
    ):
        layer.eval()(rows[:1])


def test_scaling_alone_keeps_signs_and_gives_a_unit_root_mean_square(build_layer: BuildLayer, rows: Tensor) -> None:
    outputs = build_layer("batch", subtract_mean=False, affine=False)(rows)
    assert torch.equal(outputs.sign(), rows.sign())
    torch.testing.assert_close(outputs.square().mean(0), torch.ones(12, dtype=torch.float64), rtol=1e-3, atol=0)


def test_centring_alone_keeps_the_deviation(build_layer: BuildLayer, rows: Tensor) -> None:
    outputs = build_layer("batch", divide_by_deviation=False, affine=False)(rows)
    torch.testing.assert_close(outputs, rows - rows.mean(0))
