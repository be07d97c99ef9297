"""What a norm says of itself, and the decorator that registers it. The contract is docs/norm_protocol.md."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from torch import nn

from bnbench.errors import UserError, nearest
from bnbench.plugins import NORMS_GROUP
from bnbench.registry import Registry
from bnbench.source_version import definition_of, source_version

Kind = Literal["activation", "weight"]
Factory = TypeVar("Factory", bound=Callable[..., nn.Module])

# It becomes a yaml file, a value on the command line, a folder of records and an entry of the board.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
# The stand-in of a class path, and what yaml or the command line reads as something else than text.
_RESERVED = {"custom", "null", "true", "false", "yes", "no", "on", "off", "nan", "inf"}


@dataclass(frozen=True)
class Norm:
    """A registered normalization layer.

    `factory` takes `num_features` (kind activation) or a `torch.nn.Linear` (kind weight), then its options by keyword.
    `version` is raised by hand whenever the numbers of the norm change, or stands for a stranger's source.
    `minimum_batch` is the smallest batch the norm can train on: at least 2 where statistics are taken over the batch.
    `registered_in` is the module that registered it.
    """

    name: str
    factory: Callable[..., nn.Module]
    kind: Kind
    version: int | str
    batch_coupled: bool
    minimum_batch: int
    registered_in: str = ""

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
        by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        taken = [parameter.name for parameter in parameters if parameter.kind in by_name]
        for option in options:
            if option not in taken:
                known = nearest(option, taken) if taken else "it takes none"
                raise UserError(f"norm '{self.name}' takes no option '{option}'; {known}")
        or_null = {parameter.name for parameter in parameters if _allows_none(parameter.annotation)}
        for option, default in self.defaults().items():
            if option not in options or (options[option] is None and option in or_null):
                continue
            if not self._may_stand_for(default, options[option]):
                kind = f"{type(default).__name__}{' or null' if option in or_null else ''}"
                raise UserError(
                    f"norm '{self.name}': {option}={options[option]!r}: expected {kind}, as in {option}={default}"
                )

    def _may_stand_for(self, default: Any, value: Any) -> bool:
        """Return whether a value can take the place of a default; what a stranger's numbers mean it knows better."""
        if isinstance(default, bool):
            return isinstance(value, bool)
        if not isinstance(default, int | float):
            return True  # what None or a tuple stands for, only the norm knows
        if isinstance(value, bool):
            return False
        if not is_ours(self.factory):
            return value is None or isinstance(value, int | float)
        return isinstance(value, int) or (isinstance(value, float) and isinstance(default, float))

    def _parameters(self) -> list[inspect.Parameter]:
        try:
            return list(inspect.signature(self.factory).parameters.values())[1:]
        except ValueError as error:
            raise UserError(f"norm '{self.name}' has no signature to read its options from: {error}") from error


def _allows_none(annotation: Any) -> bool:
    if isinstance(annotation, str):  # of a module with `from __future__ import annotations`
        return annotation.endswith("| None") or annotation.startswith("Optional[")
    return type(None) in get_args(annotation)


def is_ours(factory: Callable[..., nn.Module]) -> bool:
    """Return whether a norm comes with bnbench."""
    written = inspect.isclass(factory) or inspect.isfunction(factory)  # and not a partial of one
    return written and _is_in_this_package(definition_of(factory)[0])


def _is_in_this_package(module: str) -> bool:
    return module.startswith(f"{__package__}.")


def _definition(norm: Norm) -> str:
    """Return where the factory of a norm was written, as `package.module:Name`."""
    module, name = definition_of(norm.factory)
    is_nameless = "<lambda>" in name or not (inspect.isclass(norm.factory) or inspect.isfunction(norm.factory))
    return f"{module}:{repr(norm.factory) if is_nameless else name}"


def _home(norm: Norm) -> str:
    return norm.registered_in


NORMS: Registry[Norm] = Registry("norm", group=NORMS_GROUP, definition=_definition, home=_home)


def registered_as(factory: Callable[..., nn.Module]) -> Norm | None:
    """Return the norm a factory is registered as, if it is: bnbench's own, where others gave it a name too."""
    found = [norm for norm in map(NORMS.get, NORMS.names()) if norm.factory is factory]
    found.sort(key=lambda norm: not _is_in_this_package(norm.registered_in))
    return found[0] if found else None


def norm(
    name: str,
    *,
    kind: Kind = "activation",
    version: int | str | None = None,
    batch_coupled: bool = False,
    minimum_batch: int | None = None,
) -> Callable[[Factory], Factory]:
    """Return the decorator that registers a norm's factory under `name`.

    Without a `version` it is 1 for a norm of bnbench, and for another one its source and distribution version.
    `minimum_batch` is 2 for a batch-coupled norm and 1 for others, where nothing is said.
    Raises UserError for a name or a minimum that cannot be one, and ValueError where another norm has it.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        raise UserError(
            f"a norm cannot be named {name!r}: expected a-z, 0-9 and _, a letter first, at most 64 characters, and not "
            f"{', '.join(sorted(_RESERVED))}"
        )

    frame = inspect.currentframe()
    module = str(frame.f_back.f_globals.get("__name__", "")) if frame and frame.f_back else ""

    def decorate(factory: Factory) -> Factory:
        fewest = (2 if batch_coupled else 1) if minimum_batch is None else minimum_batch
        if not isinstance(fewest, int) or isinstance(fewest, bool) or fewest < 1:
            raise UserError(f"norm '{name}': minimum_batch={fewest!r}: expected a whole number of at least 1")
        told = version
        if told is None:
            is_told_by_hand = is_ours(factory) and _is_in_this_package(module)
            told = 1 if is_told_by_hand else source_version(factory, named_in=module)
        NORMS.add(name, Norm(name, factory, kind, told, batch_coupled, fewest, module))
        return factory

    return decorate
