"""Whether the first argument and the options are all that a norm's factory needs: told before it is called."""

import inspect
import re
from collections.abc import Mapping
from inspect import Parameter
from typing import Any

from torch import nn

from bnbench.errors import UserError
from bnbench.norms.registration import Norm

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)
_BY_NAME = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
# of a first argument with a default: the names under which layers take how many features they are made for
_COUNTS_FEATURES = re.compile(r"feature|channel|shape|width|hidden|units|neurons|num_parameters|_dim$|_size$|^size$")
# names of many things, a number of features only where the default is a size
_SHORT_NAMES = frozenset({"n", "d", "c", "dim", "num"})
_ANY_NUMBER = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def require_arguments(norm: Norm, options: Mapping[str, Any]) -> None:
    """Raise UserError that names what a factory needs beside its first argument and the options."""
    takes = list(inspect.signature(norm.factory).parameters.values())
    if not takes or takes[0].kind not in _BY_POSITION:
        raise UserError(f"norm '{norm.name}' takes no first argument, expected {_expected(norm)}")
    _require_features_first(norm, takes[0])
    lacking = [
        each
        for each in takes[1:]
        if each.default is each.empty and each.kind not in _ANY_NUMBER and each.name not in options
    ]
    if not lacking:
        return
    ways = [f"a factory that takes no more than that: {_small_factory(norm)}"]
    if all(each.kind in _BY_NAME for each in lacking):
        ways.insert(0, f"the option {' and '.join(f'{each.name}=VALUE' for each in lacking)}")
    raise UserError(
        f"norm '{norm.name}' needs {' and '.join(each.name for each in lacking)} beside its first argument "
        f"{takes[0].name}, expected {_expected(norm)} alone: give {', or '.join(ways)}"
    )


def _require_features_first(norm: Norm, first: Parameter) -> None:
    """Raise UserError where the first argument is an option: the number of features would be taken for its value.

    What has no default is what a factory is made of. A default makes an option of it, but where its name or a size as
    default says that it is the number of features (`def my_norm(num_features=64)`).
    """
    if first.default is first.empty:
        return
    if norm.kind == "weight":
        fits = first.default is None
    else:
        is_size = isinstance(first.default, int) and not isinstance(first.default, bool) and first.default > 1
        fits = bool(_COUNTS_FEATURES.search(first.name)) or (is_size and first.name in _SHORT_NAMES)
    if not fits:
        raise UserError(
            f"norm '{norm.name}': its first argument is `{first.name}`, expected {_expected(norm)}: give a factory "
            f"that takes it, {_small_factory(norm)}"
        )


def called_as(norm: Norm, argument: int | nn.Linear, options: Mapping[str, Any]) -> str:
    """Return the call of a factory as one would write it."""
    given = ", ".join([str(argument), *(f"{name}={value!r}" for name, value in options.items())])
    return f"{_name(norm)}({given})"


def _expected(norm: Norm) -> str:
    return "num_features" if norm.kind == "activation" else "the torch.nn.Linear it replaces"


def _small_factory(norm: Norm) -> str:
    return f"def my_norm({'num_features' if norm.kind == 'activation' else 'linear'}): return {_name(norm)}(…)"


def _name(norm: Norm) -> str:
    return str(getattr(norm.factory, "__qualname__", norm.name))
