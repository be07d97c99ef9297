"""One network for one seed: the MLP or the user's own, seeded, initialised, with the norm in place."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from bnbench.class_path import load_class_path
from bnbench.errors import UserError, nearest, with_article
from bnbench.models.activations import stackable_activation
from bnbench.models.initialisation import INITIALISATIONS, initialise
from bnbench.models.layers import StackableAlphaDropout, StackableDropout, StackableLinear, as_torch_made_it
from bnbench.models.mlp import ACTIVATIONS, MLP, NORM_PLACEMENTS
from bnbench.norms import ChosenNorm, MakeNorm
from bnbench.seeding import global_stream, key_random_streams, one_thread
from bnbench.source_version import source_version

# where a built network keeps the names of the parameters of its norm layers
_NORM_PARAMETERS = "_norm_parameters"

# the keys of the model configuration that are arguments of the MLP
MLP_OPTIONS = (
    "hidden",
    "activation",
    "norm_placement",
    "residual",
    "dropout",
    "alpha_dropout",
    "input_norm",
    "logits_norm",
)


def build_network(
    model: Mapping[str, Any], *, num_inputs: int, num_outputs: int, norm: ChosenNorm, seed: int
) -> nn.Module:
    """Return the network of one seed: same Linear weights under every norm.

    `model` holds the keys of the model configuration. The initial weights of a custom model are its own, drawn on the
    seed's stream, unless `model.initialisation` names one of ours. Raises UserError when the factory or a norm refuses.
    """
    layers: list[nn.Module] = []
    make_layer = norm.maker(seed)

    def make_norm(num_features: int) -> nn.Module:
        layers.append(make_layer(num_features))
        return layers[-1]

    with one_thread():
        with global_stream(seed, "network"):
            network = _construct(model, num_inputs, num_outputs, make_norm)
        if model["initialisation"] is not None:
            # a norm's own Linears start as the norm says
            skip = {part for layer in layers for part in layer.modules()}
            initialise(network, name=model["initialisation"], std=model["initialisation_std"], seed=seed, skip=skip)
        if norm.norm.kind == "weight":
            network = _replace_linears(network, norm, seed=seed, include_output=bool(model["logits_norm"]))
    network = _make_stackable(network)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UserError(f"model '{model['name']}' with norm '{norm.entry}' has no parameter to train")
    key_random_streams(network, seed)
    # a layer of the norm may have been given other modules by now, but these hold its very parameters
    of_norms = {id(parameter) for layer in layers for parameter in layer.parameters()}
    names = frozenset(name for name, parameter in network.named_parameters() if id(parameter) in of_norms)
    setattr(network, _NORM_PARAMETERS, names)
    return network


def decaying_parameters(network: nn.Module) -> frozenset[str]:
    """Return the names of the parameters that weight decay pulls at: the weights, those of a weight norm included.

    Not biases, not parameters with fewer than two dimensions, not those of the norm layers `build_network` made.
    """
    of_norms: frozenset[str] = getattr(network, _NORM_PARAMETERS, frozenset())
    return frozenset(
        name
        for name, parameter in network.named_parameters()
        if parameter.dim() >= 2 and name.rpartition(".")[2] != "bias" and name not in of_norms
    )


def _construct(model: Mapping[str, Any], num_inputs: int, num_outputs: int, make_norm: MakeNorm) -> nn.Module:
    if model["name"] != "custom":
        return MLP(num_inputs, num_outputs, make_norm, **{key: model[key] for key in MLP_OPTIONS})
    factory = load_class_path(model["class_path"], key="model.class_path")
    try:
        network = factory(num_inputs, num_outputs, make_norm, **model["options"])
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"model.class_path={model['class_path']} called with ({num_inputs}, {num_outputs}, make_norm) raised "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise UserError(
            f"model.class_path={model['class_path']} returned {with_article(type(network).__name__)}, "
            "expected a torch.nn.Module"
        )
    return network


def check_model(model: Mapping[str, Any]) -> None:
    """Raise UserError for a model configuration that cannot be built."""
    if model["name"] == "custom":
        if not model["class_path"]:
            raise UserError("model=custom needs model.class_path=package.module:Name, a factory (in, out, make_norm)")
        load_class_path(model["class_path"], key="model.class_path")
    for key, choices in (("activation", ACTIVATIONS), ("norm_placement", NORM_PLACEMENTS)):
        if model[key] not in choices:
            raise UserError(f"model.{key}={model[key]!r} is unknown; {nearest(model[key], choices)}")
    initialisation = model["initialisation"]
    if initialisation is None and model["name"] != "custom":
        raise UserError(f"model.initialisation is missing; {nearest('', INITIALISATIONS)}")
    if initialisation is not None and initialisation not in INITIALISATIONS:
        raise UserError(
            f"model.initialisation={initialisation!r} is unknown; {nearest(initialisation, INITIALISATIONS)}"
        )
    if not 0.0 <= model["dropout"] < 1.0:
        raise UserError(f"model.dropout={model['dropout']}: expected a probability in [0, 1)")
    if model["alpha_dropout"] and model["name"] != "custom":
        _check_alpha_dropout(model)
    if any(width < 1 for width in model["hidden"] or ()):
        raise UserError(f"model.hidden={list(model['hidden'])}: expected widths of at least 1")


def _check_alpha_dropout(model: Mapping[str, Any]) -> None:
    if model["activation"] != "selu":
        raise UserError(
            f"model.alpha_dropout=true with model.activation={model['activation']}: it drops to the lower bound of "
            "selu; set model.activation=selu, or model.alpha_dropout=false for plain dropout"
        )
    if model["dropout"] == 0.0:
        raise UserError(
            "model.alpha_dropout=true with model.dropout=0.0 drops nothing; set model.dropout above 0, or "
            "model.alpha_dropout=false"
        )


def model_version(model: Mapping[str, Any]) -> str | None:
    """Return what stands for the version of a custom model in its cells; None for the MLP."""
    if model["name"] != "custom":
        return None
    class_path = model["class_path"]
    return source_version(load_class_path(class_path, key="model.class_path"), named_in=class_path)


def _replace_linears(network: nn.Module, norm: ChosenNorm, *, seed: int, include_output: bool) -> nn.Module:
    """Put the weight norm in the place of every Linear but the last one, which makes the outputs.

    A Linear whose weights are frozen stays: there is nothing to reparametrise.
    """
    places = [place for place, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not places:
        raise UserError(f"norm '{norm.entry}' replaces torch.nn.Linear layers, and the model has none")
    kept = set() if include_output else {places[-1]}

    def swap(place: str, module: nn.Module) -> nn.Module:
        if place in kept or not isinstance(module, nn.Linear):
            return module
        if type(module) is not nn.Linear or not as_torch_made_it(module):
            raise UserError(
                f"norm '{norm.entry}' cannot replace '{place}', a {type(module).__name__}: expected a torch.nn.Linear "
                "without hooks or parametrizations; take them away, or leave this norm out for this model"
            )
        if not module.weight.requires_grad:
            return module
        if module.bias is not None and not module.bias.requires_grad:
            raise UserError(
                f"norm '{norm.entry}' cannot replace '{place}': its bias is frozen and its weights are not; expected "
                "both to train, or a Linear without bias"
            )
        return norm.replace(module, seed=seed, name=place)

    return _map_modules(network, swap)


def _make_stackable(network: nn.Module) -> nn.Module:
    def swap(_place: str, module: nn.Module) -> nn.Module:
        if not as_torch_made_it(module):
            return module
        if type(module) is nn.Linear:
            return StackableLinear.taking_over(module)
        if type(module) is nn.Dropout:
            return StackableDropout(module.p)
        if type(module) is nn.AlphaDropout:
            return StackableAlphaDropout(module.p)
        return stackable_activation(module)

    return _map_modules(network, swap)


def _map_modules(root: nn.Module, swap: Callable[[str, nn.Module], nn.Module]) -> nn.Module:
    """Return the network with every module replaced by what `swap` makes of it; shared modules stay shared."""
    replaced: dict[int, nn.Module] = {}

    def visit(place: str, module: nn.Module) -> nn.Module:
        if id(module) not in replaced:
            result = replaced[id(module)] = swap(place, module)
            if result is module:
                for name, child in module._modules.items():
                    if child is not None:
                        module._modules[name] = visit(f"{place}.{name}" if place else name, child)
        return replaced[id(module)]

    return visit("", root)
