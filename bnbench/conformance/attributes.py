"""What the modules of a layer hold beside parameters and buffers, and buffers that are left out of state_dict."""

import random
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bnbench.conformance.change import relative_change

# what every module of torch has
_OWN = frozenset(vars(nn.Module())) | {"training"}
# what two layers that computed the same differ by where a kernel rounds by the place in memory
SAME = 1e-5


def attributes_of(layer: nn.Module) -> dict[str, Any]:
    """Return by name what state_dict does not hold; objects of a kind that is not understood are left out."""
    found: dict[str, Any] = {}
    held = layer.state_dict()
    for place, module in layer.named_modules():
        prefix = f"{place}." if place else ""
        found |= {f"{prefix}{name}": _plain(value) for name, value in vars(module).items() if name not in _OWN}
        buffers = module.named_buffers(recurse=False)
        found |= {f"{prefix}{name}": value.clone() for name, value in buffers if f"{prefix}{name}" not in held}
    return {name: value for name, value in found.items() if value is not NotImplemented}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of which the values differ, or that only one of the two has."""
    return [name for name in dict(before) | dict(after) if _differs(before.get(name), after.get(name))]


def _plain(value: Any) -> Any:
    """Return a copy that can be compared; NotImplemented where that is not known how."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return value
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray | np.generic):
        return repr(value) if value.dtype.hasobject else torch.as_tensor(np.array(value))
    if isinstance(value, torch.Generator):
        return value.get_state()
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, Mapping):
        return {repr(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Set):
        return sorted(map(repr, value))
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return NotImplemented


def _differs(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if one.shape != other.shape or one.dtype != other.dtype:
            return True
        return relative_change(one, other) > SAME
    if isinstance(one, dict) and isinstance(other, dict):
        return bool(changed(one, other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) != len(other) or any(map(_differs, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return relative_change(torch.tensor(one), torch.tensor(other)) > SAME
    return type(one) is not type(other) or bool(one != other)
