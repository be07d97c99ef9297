"""Networks at initialisation, and what the claims A3, A5, A6 and A7 measure on them, against NumPy and by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.claims.catalogue import A3_bn_grad_explosion as a3
from bnbench.claims.catalogue import A5_bn_cross_batch as a5
from bnbench.claims.catalogue import A6_rank_collapse as a6
from bnbench.claims.catalogue import A7_bn_orthogonalises as a7
from bnbench.claims.random_networks import gaussian_inputs, gaussian_weights, layers

SEEDS = (0, 3)
EPS = 1e-5


def normed_by_numpy(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if name == "none":
        return values
    axis = 0 if name == "batch" else 1
    centred = values - values.mean(axis, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis, keepdims=True) + EPS)


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_layers_are_those_of_a_plain_float64_forward_pass(norm: str, activation: Any) -> None:
    inputs = gaussian_inputs(SEEDS, rows=6, width=10)
    weights = list(gaussian_weights(SEEDS, width=10, depth=3, activation=activation))
    found = list(layers(inputs, norm={"name": norm}, weights=weights, activation=activation))
    for seed in range(len(SEEDS)):
        hidden = inputs[seed].numpy()
        for layer, weight in zip(found, weights, strict=True):
            hidden = normed_by_numpy(norm, hidden @ weight[seed].numpy().T)
            hidden = np.maximum(hidden, 0) if activation == "relu" else hidden
            np.testing.assert_allclose(layer.outputs[seed].detach().numpy(), hidden, rtol=1e-12, atol=1e-12)


def test_a_seeds_inputs_and_weights_do_not_depend_on_its_company() -> None:
    for draw in (
        lambda seeds: gaussian_inputs(seeds, rows=4, width=5),
        lambda seeds: torch.stack(list(gaussian_weights(seeds, width=5, depth=2, activation="relu")), dim=1),
    ):
        assert torch.equal(draw((0, 3))[1:], draw((3,)))
        assert not torch.equal(draw((0,)), draw((3,)))


@pytest.mark.parametrize(("activation", "gain"), [("relu", 2.0), ("linear", 1.0)])
def test_weights_have_the_variance_that_keeps_the_mean_square(activation: Any, gain: float) -> None:
    (weights,) = gaussian_weights((0,), width=400, depth=1, activation=activation)
    # of 160,000 squares: a standard error of 0.35 %
    assert weights.square().mean().item() * 400 == pytest.approx(gain, rel=0.02)


# A3: gradients


@pytest.mark.parametrize(
    ("batch_size", "growth"), [(8, 1.788), (16, 1.590), (32, 1.522), (64, 1.493), (128, 1.480), (256, 1.473)]
)
def test_relu_growth_has_the_tabulated_values(batch_size: int, growth: float) -> None:
    assert a3.relu_growth(batch_size) == pytest.approx(growth, abs=5e-4)


def test_growth_tends_to_its_limits_from_above() -> None:
    sizes = [4, 8, 32, 256, 10**4, 10**7]
    found = [a3.relu_growth(size) for size in sizes]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(math.pi / (math.pi - 1), rel=1e-6)
    assert a3.linear_growth(10**7) == pytest.approx(1, abs=1e-6)


def one_step_back(batch_size: int, *, relu: bool, draws: int) -> float:
    """Return the growth of one layer by Monte Carlo: the Jacobian of batch norm and ReLU on random units."""
    random = np.random.default_rng(0)
    centred = random.standard_normal((draws, batch_size))
    centred -= centred.mean(1, keepdims=True)
    normed = math.sqrt(batch_size) * centred / np.linalg.norm(centred, axis=1, keepdims=True)
    outputs = np.maximum(normed, 0) if relu else normed
    # what the next layer's units are made of: their variance in every direction of sum 0
    variance = ((outputs - outputs.mean(1, keepdims=True)) ** 2).sum(1).mean() / (batch_size - 1)
    length = math.sqrt(variance) * np.linalg.norm(centred, axis=1, keepdims=True)
    coming = random.standard_normal((draws, batch_size))
    coming -= coming.mean(1, keepdims=True)
    going = coming * (normed > 0) if relu else coming
    going = going - going.mean(1, keepdims=True) - normed * (normed * going).sum(1, keepdims=True) / batch_size
    going *= math.sqrt(batch_size) / length
    return float((going**2).sum(1).mean() / (coming**2).sum(1).mean())


@pytest.mark.parametrize("batch_size", [8, 16, 32])
def test_growth_is_that_of_the_jacobian_of_one_layer_by_monte_carlo(batch_size: int) -> None:
    # a standard error below 0.4 % at a batch of 8, less at larger ones
    relu = one_step_back(batch_size, relu=True, draws=100_000)
    linear = one_step_back(batch_size, relu=False, draws=100_000)
    assert a3.relu_growth(batch_size) == pytest.approx(relu, rel=0.012)
    assert a3.linear_growth(batch_size) == pytest.approx(linear, rel=0.012)


def test_growth_is_fitted_inside_only_and_to_the_square() -> None:
    squared = 1.5 ** -np.arange(30.0) * np.ones((2, 1))
    squared[:, : a3.SKIPPED] = 7.0
    squared[:, -a3.SKIPPED :] = 1e-3
    np.testing.assert_allclose(a3.growth_per_layer(squared), 1.5, rtol=1e-12)


def test_squared_gradients_are_those_of_finite_differences() -> None:
    """The gradient by the first layer's pre-activations, by moving each of them in a NumPy network."""
    weights = list(gaussian_weights((0,), width=6, depth=2, activation="relu"))
    inputs = gaussian_inputs((0,), rows=5, width=6)[0].numpy()
    towards = gaussian_inputs((0,), rows=5, width=6, name="gradient of the outputs")[0].numpy()

    def loss(first: NDArray[np.float64]) -> float:
        hidden = np.maximum(normed_by_numpy("batch", first), 0)
        hidden = np.maximum(normed_by_numpy("batch", hidden @ weights[1][0].numpy().T), 0)
        return float((hidden * towards).sum())

    first = inputs @ weights[0][0].numpy().T
    expected = 0.0
    for place in np.ndindex(first.shape):
        step = np.zeros_like(first)
        step[place] = 1e-6
        expected += ((loss(first + step) - loss(first - step)) / 2e-6) ** 2
    found = a3.squared_gradients((0,), norm="batch", weights=weights, batch_size=5, activation="relu")
    assert found.shape == (1, 2)
    assert found[0, 0] == pytest.approx(expected, rel=1e-5)


# A5: coupling


@pytest.mark.parametrize("batch_size", [8, 32])
def test_settled_similarity_is_that_of_independent_vectors_by_monte_carlo(batch_size: int) -> None:
    random = np.random.default_rng(1)
    draws = random.standard_normal((2, 100_000, batch_size))
    draws -= draws.mean(2, keepdims=True)
    one, other = np.maximum(draws / np.linalg.norm(draws, axis=2, keepdims=True), 0)
    cosine = (one * other).mean() / math.sqrt((one**2).mean() * (other**2).mean())
    assert a5.settled_similarity(batch_size) == pytest.approx(cosine, rel=0.01)


def test_settled_similarity_tends_to_one_over_pi() -> None:
    assert a5.settled_similarity(10**6) == pytest.approx(1 / math.pi, rel=1e-5)


@pytest.mark.parametrize(("norm", "coupled"), [("batch", True), ("layer", False), ("none", False)])
def test_only_batch_norm_passes_a_changed_sample_on(norm: str, coupled: bool) -> None:
    weights = list(gaussian_weights(SEEDS, width=8, depth=3, activation="relu"))
    for one, other in a5.two_passes(SEEDS, norm=norm, weights=weights, batch_size=4):
        same = [torch.equal(one.outputs[:, row], other.outputs[:, row]) for row in range(4)]
        assert same[:3] == [not coupled] * 3
        assert not same[3]


# A6: ranks


@pytest.mark.parametrize("measured", [a6.effective_rank, a6.participation])
def test_rank_of_equal_directions_is_their_number(measured: Any) -> None:
    directions = torch.linalg.qr(torch.randn(9, 9, generator=torch.Generator().manual_seed(0)).double())[0]
    for count in (1, 4, 9):
        assert measured(5.0 * directions[:count]).item() == pytest.approx(count)


def test_ranks_of_unequal_directions_by_hand() -> None:
    hidden = torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))
    # shares 3/4 and 1/4: exp(ln 4 − 3/4 ln 3); squares 9 and 1: 100 / 82
    assert a6.effective_rank(hidden).item() == pytest.approx(4 * 3**-0.75)
    assert a6.participation(hidden).item() == pytest.approx(100 / 82)


# A7: orthogonality


def test_gap_of_one_direction_is_the_root_of_one_less_one_over_the_rows() -> None:
    direction = torch.arange(1.0, 8.0, dtype=torch.float64)
    assert a7.orthogonality_gap(torch.stack([direction] * 4)).item() == pytest.approx(math.sqrt(1 - 1 / 4))


def test_gap_squared_is_one_over_the_participation_less_one_over_the_rows() -> None:
    hidden = gaussian_inputs(SEEDS, rows=5, width=9)
    expected = (1 / a6.participation(hidden) - 1 / 5).sqrt()
    torch.testing.assert_close(a7.orthogonality_gap(hidden), expected)


def test_the_norm_without_the_mean_is_the_papers_but_for_a_scale() -> None:
    inputs = gaussian_inputs((0,), rows=4, width=6)
    weights = list(gaussian_weights((0,), width=6, depth=1, activation="linear"))
    (layer,) = layers(inputs, norm=a7.WITHOUT_MEAN, weights=weights, activation="linear")
    product = weights[0][0].numpy() @ inputs[0].numpy().T  # M = W H, features × samples
    papers = np.diag(np.diag(product @ product.T) ** -0.5) @ product
    np.testing.assert_allclose(layer.outputs[0].detach().numpy().T, papers * math.sqrt(4), rtol=1e-12)
