"""The layers of a network, by the names of the places in it that diagnostics look at."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from bnbench.config import Config
from bnbench.norms import ChosenNorm
from bnbench.training.replicas import Replicas
from bnbench.training.skeleton import Place


@dataclass(frozen=True)
class Layer:
    """A hidden layer: `name` is "hidden.0", the first, and so on.

    Its places, in the order of the norm before the activation: `product` is what the Linear makes (or the weight norm
    in its place), `activation_input` what goes into the nonlinearity, `activation_output` what comes out of it, and
    `output` what the next layer is given: after dropout and the residual sum.
    """

    name: str
    product: Place
    activation_input: Place
    activation_output: Place
    output: Place


@dataclass(frozen=True)
class Network:
    """What does not change while a network trains.

    `layers` are the hidden ones of the MLP; a model of the user's own has none that are known. `weights` are the names
    of the trained weight matrices of every layer, "output" included, whatever the model: no biases, no parameters of
    norms but those a weight norm has in the place of the matrix. `activation` is None where the norm is the
    nonlinearity too.
    """

    layers: tuple[Layer, ...]
    weights: Mapping[str, tuple[str, ...]]
    activation: str | None
    norm: ChosenNorm
    loss: str


def network_in(replicas: Replicas, config: Config, norm: ChosenNorm, *, loss: str) -> Network:
    """Return the layers of the network that is stacked in the replicas."""
    is_ours = config.model.name != "custom"
    layers = tuple(_layer(f"hidden.{number}") for number in range(len(config.model.hidden or ()) if is_ours else 0))
    brings_its_own = any(isinstance(replicas.module(layer.activation_input.module), nn.Identity) for layer in layers)
    return Network(
        layers=layers,
        weights=_weights_by_layer(replicas, is_ours=is_ours),
        activation=config.model.activation if is_ours and not brings_its_own else None,
        norm=norm,
        loss=loss,
    )


def _layer(name: str) -> Layer:
    return Layer(
        name,
        product=Place(f"{name}.linear", "output"),
        activation_input=Place(f"{name}.activation", "input"),
        activation_output=Place(f"{name}.activation", "output"),
        output=Place(name, "output"),
    )


def _weights_by_layer(replicas: Replicas, *, is_ours: bool) -> dict[str, tuple[str, ...]]:
    """Return the names of the weight matrices by the layer they belong to: by their module in a user's own model."""
    found: dict[str, tuple[str, ...]] = {}
    for name in replicas.decaying_names:
        parts = name.split(".")
        layer = ".".join(parts[:2] if parts[0] == "hidden" else parts[:1]) if is_ours else ".".join(parts[:-1])
        found[layer] = (*found.get(layer, ()), name)
    return found


def without_known_layers(network: Network) -> str | None:
    """Return why a diagnostic of hidden layers has nothing to say of a network; None where it has some."""
    if network.layers:
        return None
    return "it looks at hidden layers of the MLP, and this model has none that it knows"
