"""Looking changes nothing: whatever is measured, every number of training is the same, bit for bit.

Every registered diagnostic meets every registered norm here, so a new one of either is met without a line.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bnbench.norms import NORMS
from bnbench.training.diagnostics import DIAGNOSTICS
from bnbench.training.history import Trajectory
from bnbench.training.replicas import Replicas

SEEDS = (0, 1, 2)
SETTING: dict[str, Any] = {
    "model__hidden": [12, 8],
    "model__dropout": 0.3,
    "optimizer__name": "momentum",
    "optimizer__weight_decay": 0.01,
}
ACTIVATIONS = ("relu", "sigmoid", "tanh", "gelu", "silu", "selu")

GLOBAL_NOISE = '''
import torch
from torch import nn


class GlobalNoise(nn.Module):
    """Draws from torch's global generator, and sets its scale by the first batch it trains on."""

    def __init__(self, num_features):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(num_features))
        self.register_buffer("started", torch.tensor(False))

    def forward(self, inputs):
        if self.training and not self.started:
            with torch.no_grad():
                self.scale.copy_(1 / (inputs.std(0) + 0.1))
                self.started = torch.tensor(True)
        noisy = inputs * (1 + 0.1 * torch.randn_like(inputs)) if self.training else inputs
        return noisy * self.scale


def model(num_inputs, num_outputs, make_norm):
    first = nn.Sequential(nn.Linear(num_inputs, 8), make_norm(8), nn.ReLU())
    return nn.Sequential(first, nn.Linear(8, num_outputs))
'''


def readings_of(trajectory: Trajectory, position: int) -> dict[tuple[int, str, str], float]:
    """What was measured of one replica, by step, layer and name."""
    assert trajectory.diagnosed is not None
    return {
        (reading.step, reading.layer, reading.name): float(reading.values[reading.members == position][0])
        for reading in trajectory.diagnosed.readings
        if position in reading.members
    }


def assert_all_met(trajectory: Trajectory) -> None:
    """Every diagnostic was measured, or said beforehand that it does not apply; none failed on the way."""
    diagnosed = trajectory.diagnosed
    assert diagnosed is not None
    assert {*diagnosed.names, *diagnosed.left_out} == set(DIAGNOSTICS.names())
    assert not {name: reason for name, reason in diagnosed.left_out.items() if "failed" in reason}
    assert {reading.diagnostic for reading in diagnosed.readings} == set(diagnosed.names)


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("norm", NORMS.names())
def test_no_number_of_training_depends_on_what_is_measured(
    norm: str, stacked: bool, train: Callable[..., Any], assert_same: Callable[..., None]
) -> None:
    activation = ACTIVATIONS[NORMS.names().index(norm) % len(ACTIVATIONS)]
    setting = SETTING | {"norm": norm, "model__activation": activation, "stacked": stacked}
    plain = train(SEEDS, **setting)
    measured = train(SEEDS, **setting, diagnostics="all")
    assert plain.trajectory.diagnosed is None
    assert_all_met(measured.trajectory)
    for position in range(len(SEEDS)):
        assert_same(plain.numbers(position), measured.numbers(position))


@pytest.mark.parametrize("norm", NORMS.names())
def test_a_replica_is_measured_in_company_as_it_is_alone(norm: str, train: Callable[..., Any]) -> None:
    setting = SETTING | {"norm": norm, "diagnostics": "all"}
    together = readings_of(train(SEEDS, **setting).trajectory, 1)
    alone = readings_of(train(SEEDS[1:2], **setting).trajectory, 0)
    assert together.keys() == alone.keys()
    np.testing.assert_allclose([*together.values()], [alone[key] for key in together], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm", ["none", "batch", "noisy_batch"])
def test_those_that_stay_are_measured_as_if_nobody_had_left(norm: str, train: Callable[..., Any]) -> None:
    def spoil(replicas: Replicas, step: int) -> None:
        if step == 3:
            replicas.parameters_stacked[0].data[0] = torch.nan

    setting = SETTING | {"norm": norm, "diagnostics": "all"}
    spoilt = train(SEEDS, **setting, change=spoil).trajectory
    assert spoilt.diverged_at_step.tolist() == [4, 0, 0]
    assert {step for step, _, _ in readings_of(spoilt, 0)} == {0, 3}
    whole = train(SEEDS, **setting).trajectory
    for position in (1, 2):
        kept, expected = readings_of(spoilt, position), readings_of(whole, position)
        assert kept.keys() == expected.keys()
        np.testing.assert_allclose([*kept.values()], [expected[key] for key in kept], rtol=1e-4, atol=1e-6)


def test_a_strangers_norm_and_model_train_on_as_if_nobody_looked(
    train: Callable[..., Any], assert_same: Callable[..., None], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strange_parts.py").write_text(GLOBAL_NOISE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    setting: dict[str, Any] = {
        "norm": {"name": "custom", "class_path": "strange_parts:GlobalNoise"},
        "model__name": "custom",
        "model__class_path": "strange_parts:model",
        "stacked": False,
    }
    plain = train(SEEDS, **setting)
    measured = train(SEEDS, **setting, diagnostics="all")
    assert_all_met(measured.trajectory)
    assert "hidden layers of the MLP" in measured.trajectory.diagnosed.left_out["activations"]
    for position in range(len(SEEDS)):
        assert_same(plain.numbers(position), measured.numbers(position))


@pytest.mark.parametrize("name", DIAGNOSTICS.names())
def test_each_by_itself_measures_what_it_measures_among_all(name: str, train: Callable[..., Any]) -> None:
    setting = SETTING | {"norm": "batch"}
    by_itself = readings_of(train(SEEDS, **setting, diagnostics=[name]).trajectory, 0)
    among_all = readings_of(train(SEEDS, **setting, diagnostics="all").trajectory, 0)
    assert by_itself
    np.testing.assert_array_equal([*by_itself.values()], [among_all[key] for key in by_itself])


SETTINGS: dict[str, dict[str, Any]] = {
    "double": {"trainer__precision": "64", "optimizer__name": "adam"},
    "mixed": {"trainer__precision": "bf16", "model__residual": True, "model__hidden": [12, 12]},
    "binary": {"task": {"outputs": 2, "loss": "binary"}, "model__norm_placement": "after_activation"},
    "regression": {"task": {"outputs": 1}, "model__input_norm": True, "model__logits_norm": True},
    "huber": {"task": {"outputs": 1, "loss": "huber"}, "optimizer__clip_gradient_norm": 0.1},
    "linear": {"model__hidden": []},
    "alpha dropout": {"model__activation": "selu", "model__alpha_dropout": True},
}


@pytest.mark.parametrize("norm", ["batch", "weight", "noisy_batch"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_nor_does_it_in_other_precisions_tasks_and_shapes(
    setting: str, norm: str, train: Callable[..., Any], assert_same: Callable[..., None]
) -> None:
    options = SETTING | {"norm": norm} | SETTINGS[setting]
    plain = train(SEEDS, **options)
    measured = train(SEEDS, **options, diagnostics="all")
    assert_all_met(measured.trajectory)
    for position in range(len(SEEDS)):
        assert_same(plain.numbers(position), measured.numbers(position))
