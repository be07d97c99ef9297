"""SELU, LeCun initialisation and alpha dropout keep the activations of a deep network where they are."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bnbench.models import build_network
from bnbench.models.layers import StackableAlphaDropout, StackableDropout
from bnbench.norms import choose_norm

DEPTH, WIDTH = 16, 256


def activations_of(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    """What every hidden block hands on."""
    found: list[Tensor] = []
    for block in network.get_submodule("hidden").children():
        block.register_forward_hook(lambda module, arguments, output: found.append(output))
    with torch.no_grad():
        network(inputs)
    return found


@pytest.fixture
def deep(keys: Callable[..., dict[str, object]]) -> Callable[..., list[Tensor]]:
    """Activations of 16 layers in training, for standard normal inputs."""

    def of(**changes: object) -> list[Tensor]:
        model = keys(hidden=[WIDTH] * DEPTH, **changes)
        chosen = choose_norm({"name": "none"})
        network = build_network(model, num_inputs=WIDTH, num_outputs=3, norm=chosen, seed=0).train()
        return activations_of(network, torch.randn(512, WIDTH, generator=torch.Generator().manual_seed(0)))

    return of


@pytest.mark.parametrize("dropout", [0.0, 0.05, 0.2])
def test_activations_keep_mean_0_and_variance_1_through_16_layers(
    deep: Callable[..., list[Tensor]], dropout: float
) -> None:
    found = deep(activation="selu", initialisation="lecun", dropout=dropout, alpha_dropout=dropout > 0)
    assert len(found) == DEPTH
    for activations in found:
        assert abs(activations.mean()) <= 0.1
        assert 0.8 <= activations.var() <= 1.5


@pytest.mark.parametrize(
    "change",
    [
        {"activation": "relu", "alpha_dropout": False, "dropout": 0.0},
        {"initialisation": "xavier", "alpha_dropout": False, "activation": "tanh"},
        {"alpha_dropout": False, "dropout": 0.5},
    ],
    ids=["relu", "tanh", "plain dropout"],
)
def test_without_one_of_the_three_they_do_not(deep: Callable[..., list[Tensor]], change: dict[str, object]) -> None:
    """The bounds above are not met by just any network."""
    whole = {"activation": "selu", "initialisation": "lecun", "dropout": 0.05, "alpha_dropout": True}
    last = deep(**{**whole, **change})[-1]
    assert abs(last.mean()) > 0.1 or not 0.8 <= last.var() <= 1.5


@pytest.mark.parametrize(("alpha_dropout", "kind"), [(True, StackableAlphaDropout), (False, StackableDropout)])
def test_dropout_of_the_mlp_is_of_the_kind_that_is_asked_for(
    network: Callable[..., nn.Module], alpha_dropout: bool, kind: type[nn.Module]
) -> None:
    made = network(activation="selu", dropout=0.05, alpha_dropout=alpha_dropout)
    for block in range(3):
        dropout = made.get_submodule(f"hidden.{block}.dropout")
        assert type(dropout) is kind
        assert dropout.probability == 0.05
