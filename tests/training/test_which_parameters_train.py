"""Which parameters of a network are trained, and which decay: not the frozen ones, not norms and biases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.training.fit import may_stack, network_of

PARTS = '''
import torch
from torch import nn


class Frozen(nn.Module):
    """The first Linear and a scale are not trained; the second Linear's weights are not, its bias is."""

    def __init__(self, num_inputs, num_outputs, make_norm):
        super().__init__()
        self.first = nn.Linear(num_inputs, 8).requires_grad_(False)
        self.scale = nn.Parameter(torch.full((8,), 2.0), requires_grad=False)
        self.norm = make_norm(8)
        self.second = nn.Linear(8, 5)
        self.second.weight.requires_grad_(False)
        self.last = nn.Linear(5, num_outputs)

    def forward(self, inputs):
        hidden = torch.relu(self.norm(self.first(inputs)) * self.scale)
        return self.last(torch.relu(self.second(hidden)))


class Gated(nn.Module):
    """A norm with matrices of its own: a Linear, and a mixing of features."""

    def __init__(self, num_features):
        super().__init__()
        self.gate = nn.Linear(num_features, num_features)
        self.mixing = nn.Parameter(torch.eye(num_features))

    def forward(self, inputs):
        return (inputs * self.gate(inputs)) @ self.mixing


class WideBias(nn.Module):
    """A bias of two dimensions."""

    def __init__(self, num_inputs, num_outputs, make_norm):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_inputs, num_outputs))
        self.bias = nn.Parameter(torch.ones(1, num_outputs))

    def forward(self, inputs):
        return inputs @ self.weight + self.bias


def nothing(num_inputs, num_outputs, make_norm):
    return nn.Linear(num_inputs, num_outputs).requires_grad_(False)
'''

FROZEN = {"first.weight", "first.bias", "scale", "second.weight"}
TRAINED = {"second.bias", "last.weight", "last.bias"}


@pytest.fixture(autouse=True, scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("parts")
    (folder / "own_parts.py").write_text(PARTS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


def custom(name: str) -> dict[str, Any]:
    return {"model__name": "custom", "model__class_path": f"own_parts:{name}", "model__initialisation": None}


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("optimizer", ["momentum", "adam", "adamw"])
def test_frozen_parameters_stay_and_the_others_train(train: Callable[..., Any], optimizer: str, stacked: bool) -> None:
    options = {"optimizer__name": optimizer, "optimizer__weight_decay": 0.1, "optimizer__clip_gradient_norm": 1.0}
    run = train([0, 1], stacked=stacked, **options, **custom("Frozen"))
    first, last = run.states[0], run.states[-1]
    assert first.keys() == FROZEN | TRAINED
    assert {name for name in first if torch.equal(first[name], last[name])} == FROZEN


def test_frozen_parameters_of_the_survivors_stay_when_a_replica_leaves(
    train: Callable[..., Any], assert_same: Callable[..., None]
) -> None:
    def poison(replicas: Any, step: int) -> None:
        if step == 3:
            with torch.no_grad():
                replicas.parameters_stacked[0][1].fill_(torch.nan)

    clean = train([0, 1, 2], **custom("Frozen"))
    spoiled = train([0, 1, 2], change=poison, **custom("Frozen"))
    assert spoiled.trajectory.diverged_at_step.tolist() == [0, 4, 0]
    for place in (0, 2):
        assert_same(spoiled.numbers(place), clean.numbers(place))


def test_network_with_frozen_parameters_stacks(
    configure: Callable[..., Any], task_of: Callable[..., Any], recwarn: pytest.WarningsRecorder
) -> None:
    assert may_stack(configure("batch", **custom("Frozen")), task_of(), choose_norm({"name": "batch"}))
    assert not recwarn.list


def test_network_with_nothing_to_train_is_refused(configure: Callable[..., Any], task_of: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"model 'custom' with norm 'none' has no parameter to train"):
        network_of(configure(**custom("nothing")), task_of(), choose_norm({"name": "none"}))


LINEARS = {"hidden.0.linear.weight", "hidden.1.linear.weight", "output.weight"}


@pytest.mark.parametrize(
    ("norm", "changes", "expected"),
    [
        ({"name": "none"}, {}, LINEARS),
        ({"name": "batch"}, {}, LINEARS),
        ({"name": "custom", "class_path": "own_parts:Gated"}, {}, LINEARS),
        ({"name": "weight"}, {}, {"hidden.0.linear.direction", "hidden.1.linear.direction", "output.weight"}),
        ({"name": "none"}, custom("WideBias"), {"weight"}),
    ],
)
def test_weights_decay_and_neither_biases_nor_what_belongs_to_a_norm(
    train: Callable[..., Any], norm: dict[str, Any], changes: dict[str, Any], expected: set[str]
) -> None:
    """Adam moves everything; what decay adds shows where a run with it and one without differ after a single step."""
    options = {"budget__max_steps": 1, "budget__eval_every_steps": 1, "optimizer__name": "adamw", **changes}
    plain, decayed = (train([0, 1], norm=norm, optimizer__weight_decay=decay, **options) for decay in (0.0, 0.5))
    after, after_decay = plain.states[-1], decayed.states[-1]
    assert {name for name in after if not torch.equal(after[name], after_decay[name])} == expected
