"""Internal covariate shift: a linear network in closed form, SciPy, NumPy, and numbers worked out by hand."""

from collections.abc import Callable

import hypothesis
import numpy as np
import pytest
import scipy
import torch
from hypothesis import strategies

from bnbench.training.diagnostics.ascending import percentiles
from bnbench.training.diagnostics.covariate_shift import (
    MAX_UNITS,
    cosine,
    measure_covariate_shift,
    percentile_drift,
    wasserstein_distance,
)
from bnbench.training.diagnostics.moment import Batch, Moment

MomentOf = Callable[..., Moment]
Found = dict[tuple[str, str], torch.Tensor]

PERCENTILES = (15, 50, 85)


def by_name(moment: Moment) -> Found:
    return {(name, layer): values for name, layer, values in measure_covariate_shift(moment)}


def test_of_a_linear_network_the_gradients_are_the_closed_form(moment_of: MomentOf) -> None:
    """With a bias so large that ReLU is the identity, h = W₁x + b₁ and ∂L/∂w₂ = 2 mean (w₂·h + b₂ − y) h."""
    moment = moment_of("none", steps=1, model__hidden=[5], optimizer__lr=0.001, task={"outputs": 1})
    before = moment.weights_before
    assert before is not None
    for held in (before, dict(zip(moment.replicas.parameter_names, moment.replicas.parameters_stacked, strict=True))):
        held["hidden.0.linear.bias"].data += 50.0
    found = by_name(moment)
    inputs, labels = (values.numpy() for values in moment.minibatch)
    old = {name: values.numpy() for name, values in before.items()}
    new = {name: values.numpy() for name, values in moment.weights.items()}

    def gradient(replica: int, below: dict[str, np.ndarray]) -> np.ndarray:
        hidden = inputs[replica] @ below["hidden.0.linear.weight"][replica].T + below["hidden.0.linear.bias"][replica]
        assert (hidden > 0).all()
        error = hidden @ old["output.weight"][replica, 0] + old["output.bias"][replica] - labels[replica]
        return 2 * (error[:, None] * hidden).mean(0)

    for replica in range(3):
        one, other = gradient(replica, old), gradient(replica, new)
        distance = found["covariate_shift_distance", "output"][replica].item()
        assert distance == pytest.approx(np.linalg.norm(one - other), rel=1e-9)
        similarity = found["covariate_shift_cosine", "output"][replica].item()
        assert similarity == pytest.approx(1 - scipy.spatial.distance.cosine(one, other), rel=1e-9)
    assert not any(layer == "hidden.0" for name, layer in found if name.startswith("covariate_shift"))


def test_a_layer_feels_only_the_layers_below_it(moment_of: MomentOf) -> None:
    moment = moment_of("batch", steps=2)
    before = moment.weights_before
    assert before is not None
    named = zip(moment.replicas.parameter_names, moment.replicas.parameters_stacked, strict=True)
    for name, stack in named:  # the step moved nothing below hidden.1
        if name.startswith("hidden.0."):
            stack.data = before[name].clone()
    found = by_name(moment)
    assert found["covariate_shift_distance", "hidden.1"].tolist() == [0.0] * 3
    np.testing.assert_allclose(found["covariate_shift_cosine", "hidden.1"], 1.0)
    assert (found["covariate_shift_distance", "output"] > 0).all()


def test_before_the_first_step_there_is_none_and_at_the_first_evaluation_no_drift(moment_of: MomentOf) -> None:
    names = {name for name, _ in by_name(moment_of("none"))}
    assert names == {"unit_p15", "unit_p50", "unit_p85"}


def test_of_a_deep_network_a_few_layers_are_looked_at(moment_of: MomentOf) -> None:
    moment = moment_of("none", steps=1, model__hidden=[4] * 9)
    layers = [layer for name, layer in by_name(moment) if name == "covariate_shift_cosine"]
    assert layers == ["hidden.1", "hidden.4", "hidden.6", "output"]


def test_drift_is_of_the_inputs_of_the_nonlinearity_since_the_evaluation_before(moment_of: MomentOf) -> None:
    moment = moment_of("none", steps=1, seeds=(0,), model__hidden=[20], model__activation="sigmoid")
    by_name(moment)
    weight, bias = (moment.weights[f"hidden.0.linear.{it}"][0].numpy().copy() for it in ("weight", "bias"))
    inputs = moment.probe.inputs.numpy()
    then = inputs @ weight.T + bias
    moment.replicas.parameters_stacked[0].data *= 1.5
    now = inputs @ (1.5 * weight).T + bias
    found = by_name(moment)
    low, middle, high = (np.percentile(now, percent, axis=0) for percent in PERCENTILES)
    assert found["unit_p15", "hidden.0"].item() == pytest.approx(low[0])
    assert found["unit_p50", "hidden.0"].item() == pytest.approx(middle[0])
    assert found["unit_p85", "hidden.0"].item() == pytest.approx(high[0])
    moved = np.mean([abs(np.percentile(now, q, axis=0) - np.percentile(then, q, axis=0)) for q in PERCENTILES], axis=0)
    expected = (moved / (high - low))[:MAX_UNITS].mean()
    assert found["percentile_drift", "hidden.0"].item() == pytest.approx(expected)
    expected = np.mean([scipy.stats.wasserstein_distance(then[:, unit], now[:, unit]) for unit in range(MAX_UNITS)])
    assert found["wasserstein_distance", "hidden.0"].item() == pytest.approx(expected)


numbers = strategies.lists(strategies.floats(-1e3, 1e3), min_size=1, max_size=30)


@hypothesis.given(numbers, strategies.randoms(use_true_random=False))
def test_percentiles_are_numpys_and_distances_scipys(values: list[float], shuffle: object) -> None:
    others = [2 * value + 1 for value in values]
    one, other = (torch.tensor([[sorted(held)]], dtype=torch.float64) for held in (values, others))
    expected = [np.percentile(values, percent) for percent in PERCENTILES]
    np.testing.assert_allclose(
        percentiles(one, [percent / 100 for percent in PERCENTILES]).flatten(), expected, rtol=1e-9, atol=1e-9
    )
    distance = scipy.stats.wasserstein_distance(values, others)
    assert wasserstein_distance(one, other).item() == pytest.approx(distance, rel=1e-9, abs=1e-9)


def test_a_drift_worked_out_by_hand() -> None:
    # 0 … 20: percentiles 3, 10, 17; moved by 7, which is half of the spread of 14
    one = torch.arange(21.0, dtype=torch.float64)[None, None]
    np.testing.assert_allclose(percentile_drift(one, one + 7), 0.5)
    np.testing.assert_allclose(wasserstein_distance(one, one + 7), 7.0)


def test_a_gradient_of_zero_has_no_direction() -> None:
    assert cosine(torch.zeros(1, 3), torch.ones(1, 3)).isnan().all()
    assert cosine(torch.ones(1, 3), -torch.ones(1, 3)).item() == pytest.approx(-1.0)


def test_the_minibatch_decides_and_not_the_probe(moment_of: MomentOf) -> None:
    moment = moment_of("none", steps=1)
    other = Moment(**{**vars(moment), "probe": Batch(moment.probe.inputs * 0, moment.probe.labels)})
    one, two = by_name(moment), by_name(other)
    for name, layer in one:
        same = torch.equal(one[name, layer], two[name, layer])
        assert same == name.startswith("covariate_shift"), (name, layer)
