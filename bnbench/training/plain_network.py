"""A trained MLP as plain torch: the layers of an `nn.Sequential`, as code and with the names its weights then have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bnbench.models.mlp import ACTIVATIONS, MLP, Block
from bnbench.norms.batch import Batch
from bnbench.norms.weight import Weight

Convert = Callable[[dict[str, Tensor]], dict[str, Tensor]]


@dataclass(frozen=True)
class PlainLayer:
    """One layer of the Sequential: its code, where it stands in our network, and how its tensors are renamed."""

    code: str
    ours: str
    convert: Convert


def plain_layers(network: nn.Module, model: Mapping[str, Any]) -> list[PlainLayer] | None:
    """Return the layers in order; None for a network that is no plain sequence of them.

    Layers of torch are named as torch names them. A norm that torch does not have is `make_norm(width)`, one of the
    weights that it does not have `replace(linear(...))`: names the code takes from bnbench.
    """
    if not isinstance(network, MLP) or model["residual"] or model["input_norm"] or model["logits_norm"]:
        return None
    layers: list[PlainLayer] = []
    for place, block in enumerate(network.hidden):
        if not isinstance(block, Block):
            return None
        prefix = f"hidden.{place}"
        norm = _norm(block.norm, f"{prefix}.norm", width=model["hidden"][place])
        activation = [] if isinstance(block.activation, nn.Identity) else [_stateless(_activation(model["activation"]))]
        layers.append(_linear(block.linear, f"{prefix}.linear"))
        layers += [*norm, *activation] if block.norm_first else [*activation, *norm]
        if model["dropout"] > 0:
            layers.append(_stateless(f"nn.{'Alpha' if model['alpha_dropout'] else ''}Dropout({model['dropout']:g})"))
    return [*layers, _linear(network.output, "output")]


def plain_state(layers: list[PlainLayer], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a trained network by the names they have in the Sequential of these layers."""
    named: dict[str, Tensor] = {}
    for place, layer in enumerate(layers):
        prefix = f"{layer.ours}."
        own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        if layer.ours:
            named |= {f"{place}.{name}": value.contiguous() for name, value in layer.convert(own).items()}
    return named


def _same(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return state


def _stateless(code: str) -> PlainLayer:
    return PlainLayer(code, "", _same)


def _activation(name: str) -> str:
    layer = ACTIVATIONS[name]
    return f"nn.{getattr(layer, '__name__', name)}()"


def _linear(layer: nn.Module, ours: str) -> PlainLayer:
    if isinstance(layer, nn.Linear):
        return PlainLayer(f"linear({layer.in_features}, {layer.out_features})", ours, _same)
    weight = next(value for value in (*layer.parameters(), *layer.buffers()) if value.dim() == 2)
    sizes = f"linear({weight.shape[1]}, {weight.shape[0]})"
    if isinstance(layer, Weight):
        return PlainLayer(f"weight_norm({sizes})", ours, _as_torchs_weight_norm)
    return PlainLayer(f"replace({sizes})", ours, _same)


def _norm(layer: nn.Module, ours: str, *, width: int) -> list[PlainLayer]:
    match layer:
        case nn.Identity():
            return []
        case nn.LayerNorm():
            options = _options(layer.eps, layer.elementwise_affine, "elementwise_affine")
            return [PlainLayer(f"nn.LayerNorm({width}{options})", ours, _same)]
        case nn.RMSNorm():
            options = f", eps={layer.eps!r}" + ("" if layer.elementwise_affine else ", elementwise_affine=False")
            return [PlainLayer(f"nn.RMSNorm({width}{options})", ours, _same)]
        case nn.GroupNorm():
            options = _options(layer.eps, layer.affine, "affine")
            return [PlainLayer(f"nn.GroupNorm({layer.num_groups}, {width}{options})", ours, _same)]
        case Batch() if layer.is_torchs and layer.running_statistics:
            options = "" if layer.momentum == 0.1 else f", momentum={layer.momentum!r}"
            options += _options(layer.eps, layer.weight is not None, "affine")
            return [PlainLayer(f"nn.BatchNorm1d({width}{options})", ours, _as_torchs_batch_norm)]
    return [PlainLayer(f"make_norm({width})", ours, _same)]


def _options(eps: float, affine: bool, name: str) -> str:
    return ("" if eps == 1e-5 else f", eps={eps!r}") + ("" if affine else f", {name}=False")


def _as_torchs_batch_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {("running_var" if name == "running_variance" else name): value for name, value in state.items()}
    # torch counts batches only where there is no momentum
    return renamed | {"num_batches_tracked": torch.zeros((), dtype=torch.int64)}


def _as_torchs_weight_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        "parametrizations.weight.original0": state["length"].unsqueeze(1),
        "parametrizations.weight.original1": state["direction"],
        "bias": state["bias"],
    }
