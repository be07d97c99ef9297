"""What a norm says of itself, and the decorator that registers it. The contract is docs/norm_protocol.md."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from torch import nn

from bnbench.errors import UserError, nearest
from bnbench.registry import Registry

Kind = Literal["activation", "weight"]
Factory = TypeVar("Factory", bound=Callable[..., nn.Module])


@dataclass(frozen=True)
class Norm:
    """A registered normalization layer.

    `factory` takes `num_features` (kind activation) or a `torch.nn.Linear` (kind weight), then its options by keyword.
    `version` is raised by hand whenever the numbers of the norm change. `minimum_batch` is the smallest batch the norm
    can train on: 2 where statistics are taken over the batch.
    """

    name: str
    factory: Callable[..., nn.Module]
    kind: Kind
    version: int | str
    batch_coupled: bool
    minimum_batch: int

    def defaults(self) -> dict[str, Any]:
        """Return the options of the factory with their defaults, read from its signature."""
        return {
            option.name: option.default
            for option in self._parameters()
            if option.kind in (option.KEYWORD_ONLY, option.POSITIONAL_OR_KEYWORD) and option.default is not option.empty
        }

    def check_options(self, options: dict[str, Any]) -> None:
        """Raise UserError for an option the norm does not take, or a value of another type than its default's."""
        parameters = self._parameters()
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return
        taken = [parameter.name for parameter in parameters]
        for option in options:
            if option not in taken:
                raise UserError(f"norm '{self.name}' takes no option '{option}'; {nearest(option, taken)}")
        for option, default in self.defaults().items():
            if option in options and not _is_like(options[option], default):
                kind = type(default).__name__
                raise UserError(
                    f"norm '{self.name}': {option}={options[option]!r}: expected {kind}, as in {option}={default}"
                )

    def _parameters(self) -> list[inspect.Parameter]:
        try:
            return list(inspect.signature(self.factory).parameters.values())[1:]
        except ValueError as error:
            raise UserError(f"norm '{self.name}' has no signature to read its options from: {error}") from error


def _is_like(value: Any, default: Any) -> bool:
    """Return whether a value can stand for a default: a whole number for a float, no bool for a number."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int | float):
        allowed = (int, float) if isinstance(default, float) else (int,)
        return isinstance(value, allowed) and not isinstance(value, bool)
    return True  # what a stranger's None or tuple stands for, only the stranger knows


NORMS: Registry[Norm] = Registry("norm")


def norm(
    name: str, *, kind: Kind = "activation", version: int = 1, batch_coupled: bool = False
) -> Callable[[Factory], Factory]:
    """Return the decorator that registers a norm's factory under `name`."""

    def decorate(factory: Factory) -> Factory:
        NORMS.add(name, Norm(name, factory, kind, version, batch_coupled, 2 if batch_coupled else 1))
        return factory

    return decorate
