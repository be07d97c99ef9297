"""The user's own network: built by a factory, seeded, normed and made to stack; what is wrong with it is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bnbench.errors import UserError
from bnbench.models import model_version
from bnbench.models.activations import StackableActivation
from bnbench.models.layers import StackableAlphaDropout, StackableDropout, StackableLinear
from bnbench.norms import NORMS
from bnbench.training.replicas import Replicas

MODELS = '''
import torch
from torch import nn


class Mine(nn.Module):
    """A bottleneck with a shared Linear, dropout and a sigmoid gate."""

    def __init__(self, num_inputs, num_outputs, make_norm, *, width=6):
        super().__init__()
        self.first = nn.Linear(num_inputs, width)
        self.norm = make_norm(width)
        self.shared = nn.Linear(width, width, bias=False)
        self.gate = nn.Sequential(nn.Linear(width, width), nn.Sigmoid())
        self.dropout = nn.Dropout(0.5)
        self.last = nn.Linear(width, num_outputs)

    def forward(self, inputs):
        hidden = torch.relu(self.norm(self.first(inputs)))
        hidden = self.shared(self.shared(hidden)) * self.gate(hidden)
        return self.last(self.dropout(hidden))


class Tied(nn.Module):
    """Two Linears with one weight."""

    def __init__(self, num_inputs, num_outputs, make_norm):
        super().__init__()
        self.first = nn.Linear(num_inputs, num_inputs)
        self.second = nn.Linear(num_inputs, num_inputs)
        self.second.weight = self.first.weight
        self.norm = make_norm(num_inputs)
        self.last = nn.Linear(num_inputs, num_outputs)

    def forward(self, inputs):
        return self.last(torch.tanh(self.norm(self.second(torch.tanh(self.first(inputs))))))


class Convolution(nn.Module):
    """No Linear anywhere."""

    def __init__(self, num_inputs, num_outputs, make_norm):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_outputs, num_inputs))
        self.norm = make_norm(num_outputs)

    def forward(self, inputs):
        return self.norm(inputs @ self.weight.T)


def function(num_inputs, num_outputs, make_norm):
    return nn.Sequential(nn.Linear(num_inputs, 5), make_norm(5), nn.SiLU(), nn.Linear(5, num_outputs))


def self_normalizing(num_inputs, num_outputs, make_norm):
    return nn.Sequential(nn.Linear(num_inputs, 5), nn.SELU(), nn.AlphaDropout(0.25), nn.Linear(5, num_outputs))


def double(module, arguments, output):
    return 2 * output


class Doubled(nn.Module):
    """Everything that bnbench would replace, with its output doubled by a hook, or changed in another way."""

    def __init__(self, num_inputs, num_outputs, make_norm, *, change="hook", frozen=()):
        super().__init__()
        self.linear = nn.Linear(num_inputs, 6)
        self.norm = make_norm(6)
        self.gate = nn.SiLU()
        self.dropout = nn.Dropout(0.0)
        self.last = nn.Linear(6, num_outputs)
        for name in frozen:
            getattr(self.linear, name).requires_grad_(False)
        if change == "hook":
            for module in (self.linear, self.gate, self.dropout):
                module.register_forward_hook(double)
        elif change == "pre-hook":
            self.linear.register_forward_pre_hook(lambda module, arguments: (2 * arguments[0],))
        elif change == "parametrization":
            nn.utils.parametrize.register_parametrization(self.linear, "weight", Double())
        elif change == "forward":
            self.linear.forward = lambda inputs: 2 * inputs[:, :6]

    def forward(self, inputs):
        return self.last(self.dropout(self.gate(self.norm(self.linear(inputs)))))


class Double(nn.Module):
    def forward(self, weight):
        return 2 * weight


def number(num_inputs, num_outputs, make_norm):
    return 3


def fails(num_inputs, num_outputs, make_norm):
    raise RuntimeError("not today")
'''

GATED_NORM = '''
from torch import nn


class Gated(nn.Module):
    """A norm with a Linear of its own, which starts at zero."""

    def __init__(self, num_features):
        super().__init__()
        self.gate = nn.Linear(num_features, num_features)
        nn.init.zeros_(self.gate.weight)
        nn.init.ones_(self.gate.bias)

    def forward(self, inputs):
        return inputs * self.gate(inputs)
'''


@pytest.fixture(autouse=True, scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("models")
    (folder / "own_models.py").write_text(MODELS, encoding="utf-8")
    (folder / "gated_norm.py").write_text(GATED_NORM, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


def custom(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": "custom", "class_path": f"own_models:{name}", "initialisation": None, **changes}


X = torch.randn(9, 8, generator=torch.Generator().manual_seed(0))


# a weight norm takes the weights of each Linear as its own: nothing stays tied
PAIRS = [
    (norm, name)
    for norm in NORMS.names()
    for name in ("Mine", "Tied", "function")
    if (NORMS.get(norm).kind, name) != ("weight", "Tied")
]


@pytest.mark.parametrize("initialisation", [None, "he"])
@pytest.mark.parametrize(("norm", "name"), PAIRS)
def test_any_norm_in_any_network_stacks_like_single_ones(
    network: Callable[..., nn.Module], norm: str, name: str, initialisation: str | None
) -> None:
    config = {"name": norm}
    # into parts that the 5 or 6 features of these networks have
    parts = {"function": {"num_groups": 1, "num_channels": 1}, "Mine": {"num_groups": 3}}.get(name, {})
    config |= {option: number for option, number in parts.items() if option in NORMS.get(norm).defaults()}
    changes = custom(name, initialisation=initialisation)
    seeds = (0, 4)
    stack = Replicas([network(config, seed=seed, **changes) for seed in seeds])
    outputs = stack(torch.stack([X, X]))
    for place, seed in enumerate(seeds):
        torch.testing.assert_close(outputs[place], network(config, seed=seed, **changes)(X), rtol=1e-4, atol=1e-5)
    assert not torch.equal(outputs[0], outputs[1])


def test_parts_that_do_not_stack_are_replaced_wherever_they_stand(network: Callable[..., nn.Module]) -> None:
    made = network(**custom("Mine"))
    assert type(made.get_submodule("shared")) is StackableLinear
    assert type(made.get_submodule("gate.0")) is StackableLinear
    assert type(made.get_submodule("gate.1")) is StackableActivation
    assert type(made.get_submodule("dropout")) is StackableDropout


def test_alpha_dropout_is_replaced_too(network: Callable[..., nn.Module]) -> None:
    dropout = network(**custom("self_normalizing")).get_submodule("2")
    assert type(dropout) is StackableAlphaDropout
    assert dropout.probability == 0.25


CHANGES = ["hook", "pre-hook", "parametrization", "forward"]


@pytest.mark.parametrize("change", CHANGES)
def test_hooks_and_parametrizations_of_a_module_keep_their_effect(
    network: Callable[..., nn.Module], change: str
) -> None:
    made = network(**custom("Doubled", options={"change": change}))
    linear, last = made.get_submodule("linear"), made.get_submodule("last")
    hidden = X @ linear.weight.T + linear.bias
    if change == "pre-hook":
        hidden = 2 * (hidden - linear.bias) + linear.bias
    elif change == "forward":
        hidden = 2 * X[:, :6]
    factor = 2 if change == "hook" else 1
    hidden = factor * factor * nn.functional.silu(factor * hidden)
    expected = hidden @ last.weight.T + last.bias
    torch.testing.assert_close(made.eval()(X), expected)
    assert type(last) is StackableLinear
    torch.testing.assert_close(Replicas([made], stacked=False, seeds=(0,)).eval()(X)[0], expected)


@pytest.mark.parametrize("change", CHANGES)
def test_weight_norm_refuses_a_linear_it_cannot_replace(network: Callable[..., nn.Module], change: str) -> None:
    with pytest.raises(UserError, match=r"norm 'weight' cannot replace 'linear', a \w*Linear: expected a torch.nn.Lin"):
        network("weight", **custom("Doubled", options={"change": change}))


def test_weight_norm_leaves_a_frozen_linear_and_refuses_half_a_frozen_one(network: Callable[..., nn.Module]) -> None:
    options = {"change": "none", "frozen": ["weight", "bias"]}
    made = network("weight", **custom("Doubled", options=options))
    assert type(made.get_submodule("linear")) is StackableLinear
    assert not made.get_submodule("linear").weight.requires_grad
    with pytest.raises(UserError, match=r"cannot replace 'linear': its bias is frozen"):
        network("weight", **custom("Doubled", options={"change": "none", "frozen": ["bias"]}))


def test_weight_norm_takes_the_place_of_every_linear_but_the_last(network: Callable[..., nn.Module]) -> None:
    made = network("weight", **custom("Mine"))
    replaced = [place for place, module in made.named_modules() if hasattr(module, "direction")]
    assert replaced == ["first", "shared", "gate.0"]
    assert made.get_submodule("shared").bias is None
    torch.testing.assert_close(made.eval()(X), network("none", **custom("Mine")).eval()(X), rtol=1e-4, atol=1e-5)


def test_options_reach_the_factory(network: Callable[..., nn.Module]) -> None:
    assert network(**custom("Mine", options={"width": 10})).get_submodule("first").out_features == 10


def test_weights_are_the_factorys_own_on_the_seeds_stream(network: Callable[..., nn.Module]) -> None:
    """Two seeds differ, the same seed does not, and a norm that is built in between shifts nothing."""
    one, again, other, normed = (
        network(norm, seed=seed, **custom("Mine")).get_submodule("last").weight
        for norm, seed in (("none", 0), ("none", 0), ("none", 1), ("batch", 0))
    )
    assert torch.equal(one, again)
    assert torch.equal(one, normed)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", ["mlp", "custom"])
def test_linear_inside_a_norm_starts_as_the_norm_says(network: Callable[..., nn.Module], name: str) -> None:
    changes = custom("Mine", initialisation="he") if name == "custom" else {"hidden": [6]}
    made = network({"name": "custom", "class_path": "gated_norm:Gated"}, **changes)
    gate = made.get_submodule("norm.gate" if name == "custom" else "hidden.0.norm.gate")
    assert not gate.weight.any()
    assert (gate.bias == 1).all()


@pytest.mark.parametrize(
    ("name", "norm", "options", "message"),
    [
        ("number", "none", {}, r"model.class_path=own_models:number returned an int, expected a torch.nn.Module"),
        ("fails", "none", {}, r"called with \(8, 3, make_norm\) raised RuntimeError: not today"),
        ("Mine", "none", {"depth": 3}, r"raised TypeError: .*depth"),
        ("Convolution", "weight", {}, r"norm 'weight' replaces torch.nn.Linear layers, and the model has none"),
        ("Mine", "group", {}, r"num_groups=4 does not divide 6 features"),
        ("missing", "none", {}, r"module 'own_models' has no 'missing'"),
    ],
)
def test_what_is_wrong_with_a_network_is_named(
    network: Callable[..., nn.Module], name: str, norm: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        network(norm, **custom(name, options=options))


def test_version_of_a_custom_model_is_that_of_its_source(keys: Callable[..., dict[str, Any]]) -> None:
    assert model_version(keys()) is None
    version = model_version(keys(**custom("Mine")))
    assert version is not None
    assert len(version) == 12
