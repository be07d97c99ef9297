"""The top eigenvalue: closed forms, NumPy, and the full Hessian of small networks under every norm."""

from collections.abc import Callable

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies
from torch import Tensor

from bnbench.norms import NORMS
from bnbench.training.diagnostics.flat import flat, split
from bnbench.training.diagnostics.mode_gap import probe_batch
from bnbench.training.diagnostics.moment import Moment
from bnbench.training.diagnostics.sharpness import (
    MAX_ITERATIONS,
    TOLERANCE,
    hessian_product,
    measure_sharpness,
    start_vector,
    top_eigenvalue,
)

MomentOf = Callable[..., Moment]


def product_with(matrices: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda vectors: (matrices @ vectors[:, :, None]).squeeze(2)


@pytest.mark.parametrize(
    "curvatures",
    [[5.0, 2.0, 1.0], [2.0, 1.0, -9.0], [-1.0, -2.0, -3.0], [4.0, 4.0, 0.0], [0.0, 0.0, 0.0], [1e-20, 0.0, -1e-20]],
)
def test_the_largest_by_value_is_found_and_not_the_largest_by_magnitude(curvatures: list[float]) -> None:
    matrix = torch.diag(torch.tensor(curvatures, dtype=torch.float64))[None]
    found = top_eigenvalue(product_with(matrix), torch.ones(1, 3, dtype=torch.float64), max_iterations=3)
    assert found.value.item() == pytest.approx(max(curvatures), rel=1e-9)
    assert found.converged.item()


@hypothesis.given(
    seed=strategies.integers(0, 10_000), size=strategies.integers(2, 12), products=strategies.integers(1, 12)
)
def test_it_is_never_above_the_largest_eigenvalue_and_what_has_converged_is_within_the_tolerance_of_one(
    seed: int, size: int, products: int
) -> None:
    values = torch.randn(2, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    matrices = values + values.mT
    found = top_eigenvalue(product_with(matrices), torch.ones(2, size, dtype=torch.float64), max_iterations=products)
    for matrix, value, converged in zip(matrices.numpy(), found.value.tolist(), found.converged, strict=True):
        exact = np.linalg.eigvalsh(matrix)
        assert value <= exact[-1] + 1e-9 * abs(exact).max()
        if converged:
            # a symmetric matrix has an eigenvalue within ‖Hu − θu‖ of θ
            assert abs(exact - value).min() <= (TOLERANCE**0.5 + 1e-9) * abs(value)
    assert (found.iterations <= products).all()


def test_with_as_many_products_as_dimensions_the_value_is_numpys() -> None:
    values = torch.randn(4, 9, 9, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    matrices = values + values.mT
    start = torch.randn(4, 9, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    found = top_eigenvalue(product_with(matrices), start, max_iterations=9, tolerance=0.0)
    np.testing.assert_allclose(found.value, np.linalg.eigvalsh(matrices.numpy())[:, -1], rtol=1e-9)


def test_a_replica_is_the_same_in_any_company_and_one_that_is_not_finite_spoils_no_other() -> None:
    values = torch.randn(3, 20, 20, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    matrices = values @ values.mT
    matrices[1] = torch.diag(torch.linspace(0.0, 3.0, 20, dtype=torch.float64)) ** 9  # found sooner than the others
    matrices[2] = torch.nan
    together = top_eigenvalue(product_with(matrices), torch.ones(3, 20, dtype=torch.float64), max_iterations=12)
    assert together.iterations[1] < together.iterations[0]
    for replica in range(2):
        alone = top_eigenvalue(
            product_with(matrices[replica : replica + 1]), torch.ones(1, 20, dtype=torch.float64), max_iterations=12
        )
        assert alone.value.item() == pytest.approx(together.value[replica].item(), rel=1e-12)
        assert alone.iterations.item() == together.iterations[replica]
        torch.testing.assert_close(alone.vector[0], together.vector[replica])
    assert together.value[2].isnan()
    assert not together.converged[2]
    assert torch.isfinite(together.vector).all()


def test_a_warm_start_leaves_an_eigenvector_that_another_has_overtaken() -> None:
    size = 30
    basis = torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(8), dtype=torch.float64))[0]
    vector = torch.ones(1, size, dtype=torch.float64)
    for evaluation in range(12):
        curvatures = torch.linspace(0.0, 1.0, size, dtype=torch.float64)
        curvatures[0] = 0.3 * evaluation  # overtakes what was largest, at the fourth evaluation
        matrix = (basis * curvatures) @ basis.T
        found = top_eigenvalue(product_with(matrix[None]), vector, max_iterations=4)
        vector = found.vector
    assert found.value.item() == pytest.approx(0.3 * 11, rel=1e-3)


def test_the_start_vector_is_the_same_for_all_and_draws_from_no_stream() -> None:
    state = torch.random.get_rng_state()
    vectors = start_vector(torch.zeros(3, 5000))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(vectors[0], vectors[2])
    assert torch.equal(start_vector(torch.zeros(1, 5000))[0], vectors[0])
    np.testing.assert_allclose([vectors[0].mean(), vectors[0].std()], [0.0, 1.0], atol=0.05)


def full_hessian(moment: Moment, replica: int) -> np.ndarray:
    """The whole matrix, by torch, of one replica's loss by all its trained parameters."""
    names, stacks = list(moment.weights), list(moment.weights.values())

    def loss(vector: Tensor) -> Tensor:
        rows = flat(stacks).clone()
        rows = torch.cat([rows[:replica], vector[None], rows[replica + 1 :]])
        point = dict(zip(names, split(rows, like=stacks), strict=True))
        return moment.losses(probe_batch(moment), weights=point)[replica]

    return np.asarray(torch.autograd.functional.hessian(loss, flat(stacks)[replica]))


def whole_top(moment: Moment) -> Tensor:
    """The eigenvalue by our products, as many of them as it takes."""
    weights = flat(list(moment.weights.values()))
    product = hessian_product(moment, probe_batch(moment))
    return top_eigenvalue(product, start_vector(weights), max_iterations=weights.shape[1], tolerance=1e-14).value


@pytest.mark.parametrize("norm", NORMS.names())
def test_of_a_network_it_is_the_top_eigenvalue_of_the_full_hessian(norm: str, moment_of: MomentOf) -> None:
    moment = moment_of(norm, seeds=(0, 1), steps=4, model__hidden=[4, 4], model__activation="tanh")
    found = {name: values[1].item() for name, _, values in measure_sharpness(moment)}
    hessian = full_hessian(moment, 1)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-8)
    exact = np.linalg.eigvalsh(hessian)
    assert whole_top(moment)[1].item() == pytest.approx(exact[-1], rel=1e-6)
    assert found["sharpness"] <= exact[-1] * (1 + 1e-9)
    if found["sharpness_converged"]:
        assert abs(exact - found["sharpness"]).min() <= TOLERANCE**0.5 * found["sharpness"]


def test_of_plain_batch_norm_it_is_that_of_torchs_own_layers(moment_of: MomentOf) -> None:
    moment = moment_of("batch", seeds=(3,), steps=4, model__hidden=[5], model__activation="sigmoid")
    inputs, labels = probe_batch(moment)
    shapes = {name: stack[0].shape for name, stack in moment.weights.items()}

    def loss(vector: Tensor) -> Tensor:
        sizes = [shape.numel() for shape in shapes.values()]
        held = {name: part.view(shapes[name]) for name, part in zip(shapes, vector.split(sizes), strict=True)}
        hidden = torch.nn.functional.linear(inputs, held["hidden.0.linear.weight"], held["hidden.0.linear.bias"])
        scale, shift = held["hidden.0.norm.weight"], held["hidden.0.norm.bias"]
        hidden = torch.nn.functional.batch_norm(hidden, None, None, scale, shift, True)
        outputs = torch.nn.functional.linear(torch.sigmoid(hidden), held["output.weight"], held["output.bias"])
        return torch.nn.functional.cross_entropy(outputs, labels)

    weights = flat(list(moment.weights.values()))[0]
    exact = np.linalg.eigvalsh(np.asarray(torch.autograd.functional.hessian(loss, weights)))[-1]
    assert whole_top(moment).item() == pytest.approx(exact, rel=1e-6)


def test_it_is_told_against_the_learning_rate_and_the_weights(moment_of: MomentOf) -> None:
    moment = moment_of("layer", steps=2)
    found = {name: values for name, _, values in measure_sharpness(moment)}
    squared_norm = flat(list(moment.weights.values())).square().sum(1)
    torch.testing.assert_close(found["sharpness_times_half_rate"], found["sharpness"] * 0.1 / 2)
    torch.testing.assert_close(found["sharpness_times_squared_norm"], found["sharpness"] * squared_norm)


def test_of_least_squares_it_is_the_closed_form(moment_of: MomentOf) -> None:
    """Without hidden layers the loss is mean (w·x + b − y)², its Hessian 2 mean x̃ x̃ᵀ with x̃ = (x, 1)."""
    moment = moment_of("none", steps=1, model__hidden=[], task={"outputs": 1})
    inputs = probe_batch(moment).inputs.numpy()
    extended = np.hstack([inputs, np.ones((len(inputs), 1))])
    exact = np.linalg.eigvalsh(2 * extended.T @ extended / len(inputs))[-1]
    np.testing.assert_allclose(whole_top(moment), exact, rtol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "silu", "gelu", "selu", "tanh"])
def test_every_activation_has_a_curvature(activation: str, moment_of: MomentOf) -> None:
    moment = moment_of("batch", seeds=(0,), steps=2, model__hidden=[4], model__activation=activation)
    assert whole_top(moment).item() == pytest.approx(np.linalg.eigvalsh(full_hessian(moment, 0))[-1], rel=1e-6)


def test_where_an_evaluation_stops_the_next_goes_on(moment_of: MomentOf) -> None:
    moment = moment_of("batch", steps=5, dtype=torch.float32, model__hidden=[6])
    for _ in range(6):
        found = {name: values for name, _, values in measure_sharpness(moment)}
    assert found["sharpness_converged"].tolist() == [1.0, 1.0, 1.0]
    assert (found["sharpness_iterations"] <= MAX_ITERATIONS).all()
    for replica, value in enumerate(found["sharpness"].tolist()):
        *_, second, largest = np.linalg.eigvalsh(full_hessian(moment, replica))
        assert largest - TOLERANCE * value**2 / (value - second) <= value <= largest * (1 + 1e-5)
