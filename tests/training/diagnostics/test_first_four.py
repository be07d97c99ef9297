"""Activations, gradients, updates and units against the same network in NumPy, and against closed forms."""

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from bnbench.training.diagnostics.activations import activations
from bnbench.training.diagnostics.ascending import ascending, percentiles
from bnbench.training.diagnostics.diagnostic import Measurement
from bnbench.training.diagnostics.gradients import gradients, slope
from bnbench.training.diagnostics.moment import Moment
from bnbench.training.diagnostics.units import dead, dormant, saturated, units
from bnbench.training.diagnostics.updates import angle_between, updates

MomentOf = Callable[..., Moment]
Found = dict[tuple[str, str], Any]

NETWORKS = [("none", "relu"), ("none", "tanh"), ("none", "sigmoid"), ("batch", "relu"), ("batch", "sigmoid")]


@pytest.fixture(scope="module")
def oracle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("numpy_network", Path(__file__).with_name("numpy_network.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def again(oracle: ModuleType) -> Callable[..., Any]:
    """One replica of a moment in NumPy: on the probe batch in evaluation, or on its minibatch in training."""

    def again(moment: Moment, replica: int, *, training: bool) -> Any:
        batch = moment.minibatch if training else moment.probe
        inputs, labels = (values[replica] if training else values for values in batch)
        return oracle.run(
            {name: stack[replica].numpy() for name, stack in moment.weights.items()},
            inputs.numpy(),
            labels.numpy(),
            activation=moment.network.activation,
            batch_norm=moment.network.norm.norm.name == "batch",
            training=training,
        )

    return again


def by_name(measurements: list[Measurement]) -> Found:
    found = {(name, layer): values.numpy() for name, layer, values in measurements}
    assert len(found) == len(measurements)
    return found


@pytest.mark.parametrize(("norm", "activation"), NETWORKS)
def test_activations_are_those_of_numpy(norm: str, activation: str, moment_of: MomentOf, again: Any) -> None:
    moment = moment_of(norm, model__activation=activation)
    found = by_name(activations(moment))
    for replica in range(3):
        expected = again(moment, replica, training=False).activation_inputs
        for number, values in enumerate(expected):
            layer = f"hidden.{number}"
            assert found["activation_mean", layer][replica] == pytest.approx(values.mean(), abs=1e-12)
            assert found["activation_deviation", layer][replica] == pytest.approx(values.std(), rel=1e-9)
            for share in (15, 50, 85):
                percentile = np.percentile(values, share)
                assert found[f"activation_p{share}", layer][replica] == pytest.approx(percentile, abs=1e-12)
    assert not [name for name, _ in found if name == "activation_drift"]  # nothing was before


def test_drift_is_the_shift_in_units_of_the_spread(moment_of: MomentOf) -> None:
    moment = moment_of("none")
    before = by_name(activations(moment))
    with torch.no_grad():
        named = dict(zip(moment.replicas.parameter_names, moment.replicas.parameters_stacked, strict=True))
        named["hidden.0.linear.bias"] += torch.tensor([0.5, -2.0, 0.0])[:, None]
    after = by_name(activations(moment))
    spread = before["activation_p85", "hidden.0"] - before["activation_p15", "hidden.0"]
    expected = np.array([0.5, 2.0, 0.0]) / spread
    np.testing.assert_allclose(after["activation_drift", "hidden.0"], expected, rtol=1e-9, atol=1e-12)
    assert by_name(activations(moment))["activation_drift", "hidden.0"].tolist() == [0, 0, 0]


def test_percentiles_are_linear_between_neighbours() -> None:
    values = torch.tensor([[4.0, 0.0, 1.0, 2.0, 3.0], [10.0, 10.0, 10.0, 10.0, 20.0]])
    assert percentiles(ascending(values), (0.0, 0.125, 0.5, 1.0)).tolist() == [[0, 0.5, 2, 4], [10, 10, 10, 20]]


@pytest.mark.parametrize(("norm", "activation"), NETWORKS)
def test_gradients_are_those_of_numpy(norm: str, activation: str, moment_of: MomentOf, again: Any) -> None:
    moment = moment_of(norm, model__activation=activation, model__hidden=[36, 12, 20])
    found = by_name(gradients(moment))
    for replica in range(3):
        expected = again(moment, replica, training=True)
        for layer, gradient in expected.by_weights.items():
            assert found["gradient_norm", layer][replica] == pytest.approx(np.linalg.norm(gradient), rel=1e-9)
        norms = [np.linalg.norm(gradient) for gradient in expected.by_products]
        for number, size in enumerate(norms):
            layer = f"hidden.{number}"
            assert found["pre_activation_gradient_norm", layer][replica] == pytest.approx(size, rel=1e-9)
        line = np.polyfit([0, 1, 2], np.log(np.square(norms)), 1)
        assert found["gradient_norm_slope", ""][replica] == pytest.approx(line[0], rel=1e-8)


def test_slope_of_a_line_is_that_of_the_line() -> None:
    lines = torch.stack([0.3 - 0.7 * torch.arange(5.0), torch.full((5,), 2.0)]).double()
    np.testing.assert_allclose(slope(lines).numpy(), [-0.7, 0.0], atol=1e-7)


def test_one_hidden_layer_has_no_slope(moment_of: MomentOf) -> None:
    found = by_name(gradients(moment_of("none", model__hidden=[9])))
    assert {name for name, _ in found} == {"gradient_norm", "pre_activation_gradient_norm"}


def test_gradients_of_deep_batch_norm_grow_at_the_rate_of_theory(moment_of: MomentOf) -> None:
    """λ of a batch of 8 is 1.788 in the square (Yang et al. 2019); without a norm, of He's weights, it is 1."""
    deep = {"model__hidden": [192] * 16, "budget__batch_size": 8, "dtype": torch.float32, "task": {"features": 64}}
    with_norm = by_name(gradients(moment_of("batch", **deep)))["gradient_norm_slope", ""]
    without = by_name(gradients(moment_of("none", **deep)))["gradient_norm_slope", ""]
    assert -with_norm.mean() == pytest.approx(math.log(1.788), rel=0.1)
    assert abs(without.mean()) < 0.1


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_updates_of_plain_descent_are_rate_times_gradient(norm: str, moment_of: MomentOf, again: Any) -> None:
    before, after = moment_of(norm, optimizer__lr=0.3), moment_of(norm, optimizer__lr=0.3, steps=1)
    found = by_name(updates(after))
    for replica in range(3):
        gradient_of = again(before, replica, training=True).by_weights
        for layer, names in before.network.weights.items():
            (name,) = names
            weight = before.weights[name][replica].numpy()
            moved = weight - 0.3 * gradient_of[layer]
            ratio = 0.3 * np.linalg.norm(gradient_of[layer]) / np.linalg.norm(weight)
            cosine = (weight * moved).sum() / (np.linalg.norm(weight) * np.linalg.norm(moved))
            assert found["update_ratio", layer][replica] == pytest.approx(ratio, rel=1e-9)
            assert found["angular_update", layer][replica] == pytest.approx(math.acos(cosine), rel=1e-4)


def test_before_the_first_step_there_is_no_update(moment_of: MomentOf) -> None:
    assert updates(moment_of("none")) == []


@pytest.mark.parametrize("angle", [1e-9, 1e-4, 0.5, math.pi / 2, 3.0, math.pi])
def test_angles_keep_their_digits_however_small(angle: float) -> None:
    one = torch.tensor([[2.0, 0.0, 0.0]], dtype=torch.float64)
    other = 5 * torch.tensor([[math.cos(angle), 0.0, math.sin(angle)]], dtype=torch.float64)
    assert angle_between(one, other).item() == pytest.approx(angle, rel=1e-7)


@pytest.mark.parametrize(("norm", "activation"), NETWORKS)
def test_units_are_those_of_numpy(norm: str, activation: str, moment_of: MomentOf, again: Any) -> None:
    moment = moment_of(norm, model__activation=activation, model__initialisation="gaussian")
    with torch.no_grad():
        weight, bias = moment.replicas.parameters_stacked[:2]
        weight.mul_(200)  # saturates
        bias[:, :9] -= 100  # kills, 9 of 36
    found = by_name(units(moment))
    low, high = {"tanh": (-0.97, 0.97), "sigmoid": (0.03, 0.97)}.get(activation, (0, 0))
    for replica in range(3):
        for number, outputs in enumerate(again(moment, replica, training=False).activation_outputs):
            layer = f"hidden.{number}"
            size = np.abs(outputs).mean(0)
            assert found["dormant_units", layer][replica] == pytest.approx((size <= 0.025 * size.mean()).mean())
            if activation == "relu":
                assert found["dead_units", layer][replica] == pytest.approx((outputs == 0).all(0).mean())
            else:
                share = ((outputs < low) | (outputs > high)).mean()
                assert found["saturated_units", layer][replica] == pytest.approx(share)
    measured = {"dormant_units", "dead_units" if activation == "relu" else "saturated_units"}
    assert {name for name, _ in found} == measured
    varied = found["dead_units" if activation == "relu" else "saturated_units", "hidden.0"]
    assert (varied >= 0.25).all()
    assert (varied < 1).all()


def test_units_by_hand() -> None:
    outputs = torch.tensor([[[0.0, 1.0, 0.0, 0.02], [0.0, 3.0, 0.1, 0.02]]])
    assert dead(outputs).tolist() == [0.25]
    # mean magnitudes 0, 2, 0.05, 0.02: 0.025 of their mean, 0.5175, is 0.0129
    assert dormant(outputs).tolist() == [0.25]
    assert saturated(outputs, low=0.03, high=0.97).tolist() == [0.875]  # all but 0.1
    assert dormant(torch.zeros(1, 2, 3)).tolist() == [1.0]


def test_a_norm_that_is_the_nonlinearity_has_dormant_units_only(moment_of: MomentOf) -> None:
    moment = moment_of("filter_response")
    assert moment.network.activation is None
    assert {name for name, _ in by_name(units(moment))} == {"dormant_units"}
