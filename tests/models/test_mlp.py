"""What the MLP is made of under each of its options."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.models import ACTIVATIONS, MLP, NORM_PLACEMENTS, check_model
from bnbench.norms import NORMS


class Marked(nn.Module):
    """A norm that says where it stands: y = 2 x + 1."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * inputs + 1


def by_hand(
    network: MLP, x: Tensor, *, residual: bool, norm_first: bool, input_norm: bool, logits_norm: bool
) -> Tensor:
    hidden = 2 * x + 1 if input_norm else x
    for block in network.hidden:
        values = hidden @ block.linear.weight.T + block.linear.bias
        values = torch.tanh(2 * values + 1) if norm_first else 2 * torch.tanh(values) + 1
        hidden = hidden + values if residual and hidden.shape == values.shape else values
    outputs = hidden @ network.output.weight.T + network.output.bias
    return 2 * outputs + 1 if logits_norm else outputs


@pytest.mark.parametrize("hidden", [[], [7], [8, 8, 5, 5]])
@pytest.mark.parametrize("ends", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("placement", NORM_PLACEMENTS)
def test_network_is_what_its_options_say(
    placement: str, residual: bool, ends: tuple[bool, bool], hidden: list[int]
) -> None:
    made: list[int] = []

    def make_norm(num_features: int) -> nn.Module:
        made.append(num_features)
        return Marked(num_features)

    network = MLP(
        8,
        3,
        make_norm,
        hidden=hidden,
        activation="tanh",
        norm_placement=placement,
        residual=residual,
        input_norm=ends[0],
        logits_norm=ends[1],
    )
    assert made == [8] * ends[0] + hidden + [3] * ends[1]
    x = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    expected = by_hand(
        network,
        x,
        residual=residual,
        norm_first=placement == "before_activation",
        input_norm=ends[0],
        logits_norm=ends[1],
    )
    torch.testing.assert_close(network(x), expected)


class Clipped(Marked):
    """A norm that is a nonlinearity too: y = max(2 x + 1, 0)."""

    replaces_activation = True

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).clamp_min(0)


@pytest.mark.parametrize("placement", NORM_PLACEMENTS)
def test_norm_that_replaces_the_activation_is_the_only_nonlinearity_of_its_block(placement: str) -> None:
    network = MLP(8, 3, Clipped, hidden=[7, 5], activation="tanh", norm_placement=placement)
    x = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    hidden = x
    for block in network.hidden:
        hidden = (2 * block.linear(hidden) + 1).clamp_min(0)
    torch.testing.assert_close(network(x), network.output(hidden))


@pytest.mark.parametrize("option", ["input_norm", "logits_norm"])
def test_norm_that_replaces_the_activation_is_refused_where_there_is_none(
    network: Callable[..., nn.Module], option: str
) -> None:
    """A threshold would cut off the inputs, or the logits below it."""
    message = rf"^model.{option}=true: FilterResponse replaces the activation, .*model.{option}=false, .*norm.threshold"
    with pytest.raises(UserError, match=message):
        network("filter_response", **{option: True})
    made = network({"name": "filter_response", "threshold": False}, **{option: True})
    assert made.get_submodule(option).get_parameter("weight").ndim == 1


@pytest.mark.parametrize("placement", NORM_PLACEMENTS)
@pytest.mark.parametrize(
    ("norm", "replaced"),
    [
        ({"name": "filter_response"}, True),
        ({"name": "filter_response", "threshold": False}, False),
        ({"name": "none"}, False),
        ({"name": "batch"}, False),
        ({"name": "weight"}, False),
    ],
    ids=str,
)
def test_activation_stays_unless_the_norm_replaces_it(
    network: Callable[..., nn.Module], norm: dict[str, Any], replaced: bool, placement: str
) -> None:
    made = network(norm, norm_placement=placement, activation="tanh")
    for block in range(3):
        assert type(made.get_submodule(f"hidden.{block}.activation")) is (nn.Identity if replaced else nn.Tanh)


@pytest.mark.parametrize("norm", NORMS.names())
def test_linears_keep_their_biases_under_every_norm(network: Callable[..., nn.Module], norm: str) -> None:
    widths = [8, 20, 20, 12, 3]
    biases = [
        value for name, value in network(norm).named_parameters() if name.endswith("bias") and ".norm." not in name
    ]
    assert sorted(len(bias) for bias in biases) == sorted(width for _, width in pairwise(widths))


@pytest.mark.parametrize(("logits_norm", "replaced"), [(False, 3), (True, 4)])
def test_weight_norm_replaces_every_linear_but_the_last_unless_the_logits_are_normed(
    network: Callable[..., nn.Module], logits_norm: bool, replaced: int
) -> None:
    made = network("weight", logits_norm=logits_norm)
    assert sum(hasattr(module, "direction") for module in made.modules()) == replaced
    assert hasattr(made.get_submodule("output"), "direction") == logits_norm


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_torchs(network: Callable[..., nn.Module], name: str) -> None:
    made = network(activation=name, hidden=[9], initialisation="he")
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    hidden = made.get_submodule("hidden.0.linear")(x)
    expected = made.get_submodule("output")(ACTIVATIONS[name]()(hidden))
    torch.testing.assert_close(made(x), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "rleu"}, r"model.activation='rleu' is unknown; did you mean 'relu'\?"),
        (
            {"norm_placement": "before"},
            r"model.norm_placement='before' is unknown; Choose from: after_activation, before_activation",
        ),
        ({"initialisation": "hee"}, r"model.initialisation='hee' is unknown; did you mean 'he'\?"),
        ({"initialisation": None}, r"model.initialisation is missing; Choose from: gaussian, he"),
        ({"dropout": 1.0}, r"model.dropout=1.0: expected a probability in \[0, 1\)"),
        ({"dropout": -0.1}, r"model.dropout=-0.1"),
        ({"dropout": float("nan")}, r"model.dropout=nan"),
        (
            {"alpha_dropout": True, "dropout": 0.1},
            r"model.alpha_dropout=true with model.activation=relu: .* set model.activation=selu, or model.alpha_dropo",
        ),
        (
            {"alpha_dropout": True, "activation": "selu"},
            r"model.alpha_dropout=true with model.dropout=0.0 drops nothing; set model.dropout above 0, or",
        ),
        ({"hidden": [10, 0]}, r"model.hidden=\[10, 0\]: expected widths of at least 1"),
        ({"name": "custom"}, r"model=custom needs model.class_path=package.module:Name"),
        (
            {"name": "custom", "class_path": "nowhere:f"},
            r"model.class_path=nowhere:f: module 'nowhere' does not import",
        ),
    ],
)
def test_model_that_cannot_be_built_is_refused(
    keys: Callable[..., dict[str, Any]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check_model(keys(**changes))


def test_every_option_at_its_best_is_accepted(keys: Callable[..., dict[str, Any]]) -> None:
    for activation in ACTIVATIONS:
        for placement in NORM_PLACEMENTS:
            check_model(keys(activation=activation, norm_placement=placement, dropout=0.5))
    check_model(keys(activation="selu", dropout=0.05, alpha_dropout=True))
