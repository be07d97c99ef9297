"""Ranks of layers: known spectra, SciPy, and a network computed by hand."""

from collections.abc import Callable

import hypothesis
import numpy as np
import pytest
import scipy
import torch
from hypothesis import strategies

from bnbench.training.diagnostics.effective_rank import (
    MAX_ROWS,
    effective_rank,
    measure_effective_rank,
    singular_values,
    stable_rank,
)
from bnbench.training.diagnostics.moment import Moment


def matrix_with(spectrum: list[float], *, rows: int, units: int) -> torch.Tensor:
    stream = np.random.default_rng(0)
    left = np.linalg.qr(stream.standard_normal((rows, len(spectrum))))[0]
    right = np.linalg.qr(stream.standard_normal((units, len(spectrum))))[0]
    return torch.from_numpy(left * spectrum @ right.T)


@pytest.mark.parametrize(("rows", "units"), [(7, 12), (12, 7), (9, 9)])
def test_known_spectra_are_found_whatever_the_shape(rows: int, units: int) -> None:
    spectrum = [5.0, 2.0, 1.0, 0.25]
    found = singular_values(torch.stack([matrix_with(spectrum, rows=rows, units=units), torch.zeros(rows, units)]))
    np.testing.assert_allclose(found[0].flip(0)[:4], spectrum, rtol=1e-12)
    np.testing.assert_allclose(found[0].flip(0)[4:], 0.0, atol=1e-6)
    assert found[1].tolist() == [0.0] * min(rows, units)


@pytest.mark.parametrize("directions", [1, 2, 5])
def test_equal_directions_count_one_each(directions: int) -> None:
    spectrum = singular_values(matrix_with([3.0] * directions, rows=20, units=6)[None].float())
    # what rounding leaves of the others counts for something
    np.testing.assert_allclose(effective_rank(spectrum), directions, rtol=1e-4)
    np.testing.assert_allclose(stable_rank(spectrum), directions, rtol=1e-6)


def test_ranks_worked_out_by_hand() -> None:
    spectrum = torch.tensor([[1.0, 3.0]], dtype=torch.float64)
    assert effective_rank(spectrum).item() == pytest.approx(4.0 / 3.0**0.75)  # exp(¼ ln 4 + ¾ ln 4/3)
    assert stable_rank(spectrum).item() == pytest.approx(10 / 9)


@hypothesis.given(strategies.lists(strategies.floats(1e-6, 1e6), min_size=1, max_size=8))
def test_ranks_are_those_of_scipys_entropy(values: list[float]) -> None:
    spectrum = torch.tensor([sorted(values)], dtype=torch.float64)
    expected = np.exp(scipy.stats.entropy(values))
    assert effective_rank(spectrum).item() == pytest.approx(expected, rel=1e-9)
    assert stable_rank(spectrum).item() == pytest.approx(np.square(values).sum() / max(values) ** 2, rel=1e-9)


def test_singular_values_are_scipys() -> None:
    features = np.random.default_rng(1).standard_normal((3, 40, 9)).astype(np.float32)
    expected = [scipy.linalg.svdvals(matrix.astype(np.float64))[::-1] for matrix in features]
    np.testing.assert_allclose(singular_values(torch.from_numpy(features)), expected, rtol=1e-9)


def test_a_replica_that_is_not_finite_has_no_rank_and_spoils_no_other() -> None:
    good = matrix_with([2.0, 1.0], rows=5, units=4)
    bad = good.clone()
    bad[2, 1] = torch.inf
    found = effective_rank(singular_values(torch.stack([bad, good])))
    assert found[0].isnan()
    assert found[1] == effective_rank(singular_values(good[None]))[0]
    assert effective_rank(torch.zeros(1, 4)).tolist() == stable_rank(torch.zeros(1, 4)).tolist() == [0.0]


def test_layers_are_those_of_the_network_worked_out_in_numpy(moment_of: Callable[..., Moment]) -> None:
    moment = moment_of("none", steps=2, model__activation="tanh")
    found = {(name, layer): values for name, layer, values in measure_effective_rank(moment)}
    assert {layer for _, layer in found} == {"hidden.0", "hidden.1"}
    for replica in range(3):
        features = moment.probe.inputs.numpy()[:MAX_ROWS]
        for layer in ("hidden.0", "hidden.1"):
            weight, bias = (moment.weights[f"{layer}.linear.{part}"][replica].numpy() for part in ("weight", "bias"))
            features = np.tanh(features @ weight.T + bias)
            spectrum = scipy.linalg.svdvals(features)
            expected = np.exp(scipy.stats.entropy(spectrum))
            assert found["effective_rank", layer][replica].item() == pytest.approx(expected, rel=1e-6)
            expected = (spectrum**2).sum() / spectrum[0] ** 2
            assert found["stable_rank", layer][replica].item() == pytest.approx(expected, rel=1e-9)
