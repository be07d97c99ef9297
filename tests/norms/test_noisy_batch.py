"""Noisy batch norm: the distributions of its noise, new in every step and of the seed."""

from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.seeding import key_random_streams

BuildLayer = Callable[..., nn.Module]
SILENT = {"largest_shift": 0.0, "largest_scale": 1.0, "shift_spread": 0.0, "scale_deviation": 0.0}


def noise(layer: nn.Module, rows: int) -> tuple[Tensor, Tensor]:
    """Shift and scale of every element in one step: the outputs at two values of what batch norm gave."""
    zeros, ones = torch.zeros(rows, 500, dtype=torch.float64), torch.ones(rows, 500, dtype=torch.float64)
    x = torch.randn(rows, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    outputs = []
    for gain, bias in ((0.0, zeros[0]), (0.0, ones[0])):
        with torch.no_grad():
            layer.batch.weight.fill_(gain)
            layer.batch.bias.copy_(bias)
        layer.random.step.zero_()
        outputs.append(layer(x).detach())
    return outputs[0], outputs[1] - outputs[0]


def test_noise_of_elements_and_of_features_has_the_distributions_stated(build_layer: BuildLayer) -> None:
    layer = build_layer("noisy_batch", 500)
    key_random_streams(layer, 0)
    shift, scale = noise(layer, 400)
    of_features = {"shift": shift.mean(0), "scale": scale.mean(0)}  # over 400 rows: the feature's own, to about 0.005
    assert of_features["shift"].abs().max() < 0.52
    assert stats.kstest(of_features["shift"], stats.uniform(-0.5, 1).cdf).pvalue > 1e-4
    assert stats.kstest(of_features["scale"], stats.uniform(1, 0.25).cdf).pvalue > 1e-4
    layer = build_layer("noisy_batch", 500, largest_shift=0.0, largest_scale=1.0)
    shift, scale = noise(layer, 40)
    assert stats.kstest(shift.flatten(), stats.uniform(-0.1, 0.2).cdf).pvalue > 1e-4
    assert stats.kstest(scale.flatten(), stats.norm(1, 0.1).cdf).pvalue > 1e-4
    assert abs(stats.pearsonr(shift.flatten(), scale.flatten()).statistic) < 5 / 20_000**0.5


def test_without_noise_it_is_batch_norm(build_layer: BuildLayer, rows: Tensor) -> None:
    layer, batch = build_layer("noisy_batch", **SILENT), build_layer("batch")
    torch.testing.assert_close(layer(rows), batch(rows))


def test_noise_is_in_training_only_and_new_in_every_step(build_layer: BuildLayer, rows: Tensor) -> None:
    layer, batch = build_layer("noisy_batch", momentum=0.0), build_layer("batch", momentum=0.0)
    assert not torch.allclose(layer(rows), layer(rows))
    torch.testing.assert_close(layer.eval()(rows), batch.eval()(rows))


def test_noise_belongs_to_the_seed(build_layer: BuildLayer, rows: Tensor) -> None:
    def outputs(seed: int) -> Tensor:
        layer = build_layer("noisy_batch")
        key_random_streams(layer, seed)
        return layer(rows)

    assert torch.equal(outputs(0), outputs(0))
    assert not torch.allclose(outputs(0), outputs(1))


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [("largest_shift", -0.5, 0), ("largest_scale", 0.9, 1), ("shift_spread", -1.0, 0), ("scale_deviation", -0.1, 0)],
)
def test_constants_out_of_range_are_refused(build_layer: BuildLayer, option: str, value: float, least: float) -> None:
    message = rf"^norm 'noisy_batch': {option}={value}: expected a number of at least {least} \(set norm.{option}\)$"
    with pytest.raises(UserError, match=message):
        build_layer("noisy_batch", **{option: value})
