"""`make_norm`: what a model calls for a norm layer, whatever the norm."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from bnbench.class_path import load_class_path
from bnbench.errors import UserError, with_article
from bnbench.norms.arguments import called_as, require_arguments
from bnbench.norms.registration import NORMS, Kind, Norm, registered_as
from bnbench.seeding import global_stream
from bnbench.source_version import source_version

MakeNorm = Callable[[int], nn.Module]


@dataclass(frozen=True)
class ChosenNorm:
    """A norm and its options, checked: everything later asks this and never the configuration."""

    norm: Norm
    options: dict[str, Any]

    @property
    def entry(self) -> str:
        """Return the contestant's name: the norm and the options that differ from its defaults."""
        return self.entry_with()

    def entry_with(self, **circumstances: Any) -> str:
        """Return the contestant's name where it is told by more than its options.

        >>> choose_norm({"name": "batch", "eps": 0.1}).entry_with(sync=False)
        'batch(eps=0.1, sync=false)'
        """
        defaults = self.norm.defaults()
        changed = {
            name: value for name, value in self.options.items() if name not in defaults or defaults[name] != value
        } | circumstances
        written = ", ".join(f"{name}={_plain(value)}" for name, value in sorted(changed.items()))
        return f"{self.norm.name}({written})" if written else self.norm.name

    def maker(self, seed: int) -> MakeNorm:
        """Return `make_norm(num_features)`.

        Each layer is built on a random stream of its own, so that a norm which draws at construction does not shift
        the model's draws. For a weight norm it returns the identity: that kind replaces the Linears afterwards.
        """
        count = 0

        def make_norm(num_features: int) -> nn.Module:
            nonlocal count
            count += 1
            if self.norm.kind == "weight":
                return nn.Identity()
            with global_stream(seed, "norm", str(count)):
                return self._build(num_features)

        return make_norm

    def replace(self, linear: nn.Linear, *, seed: int, name: str) -> nn.Module:
        """Return the weight norm that takes the place of `linear`, starting at its weights."""
        with global_stream(seed, "norm", name):
            return self._build(linear)

    def _build(self, argument: int | nn.Linear) -> nn.Module:
        try:
            layer: object = self.norm.factory(argument, **self.options)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise UserError(
                f"norm '{self.entry}' cannot be built: {called_as(self.norm, argument, self.options)} raised "
                f"{type(error).__name__}: {' '.join(str(error).split())}{_of_other_kind(argument, error)}"
            ) from error
        if not isinstance(layer, nn.Module):
            raise UserError(f"norm '{self.entry}' returned {_said_of(layer)}, expected a torch.nn.Module")
        return layer


def _said_of(returned: object) -> str:
    if inspect.isclass(returned):
        return f"the class {returned.__name__}"
    return "nothing" if returned is None else with_article(type(returned).__name__)


def _of_other_kind(argument: int | nn.Linear, error: BaseException) -> str:
    """Return the hint for a weight norm that was taken for an activation norm."""
    if isinstance(argument, int) and isinstance(error, AttributeError) and isinstance(error.obj, int):
        return "; if it takes the torch.nn.Linear it replaces, it is of kind weight"
    return ""


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(_one_spelling(value))


def _one_spelling(value: Any) -> Any:
    """Return numbers that are equal as one, 2.0 as 2 and -0.0 as 0: they have one cell id, and so one name."""
    if isinstance(value, list | tuple):
        return [_one_spelling(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def choose_norm(config: Mapping[str, Any], *, key: str = "norm.class_path") -> ChosenNorm:
    """Return the norm a configuration names: registered, or `custom` with a class path, which messages say as `key`.

    Raises UserError for an unknown name or an option the norm does not take.
    """
    options = {str(key): value for key, value in config.items() if key != "name"}
    if "name" not in config:
        raise UserError(
            f"the configuration of the norm has no key 'name', only {', '.join(options) or 'nothing'}: its yaml file "
            "needs a line such as name: batch, the name the norm is registered under"
        )
    name = str(config["name"])
    chosen = _custom_norm(options, key) if name == "custom" else NORMS.get(name)
    chosen.check_options(options)
    require_arguments(chosen, options)
    return ChosenNorm(chosen, {**chosen.defaults(), **options})


def _custom_norm(options: dict[str, Any], key: str) -> Norm:
    class_path = options.pop("class_path", None)
    kind: Kind | None = options.pop("kind", None)
    if not class_path:
        raise UserError("norm=custom needs norm.class_path=package.module:Name")
    if kind not in (None, "activation", "weight"):
        raise UserError(f"norm.kind={kind!r}: expected 'activation' or 'weight'")
    factory = load_class_path(str(class_path), key=key)
    _require_factory(factory, f"{key}={class_path}")
    registered = registered_as(factory)
    if registered is None:
        version = source_version(factory, named_in=str(class_path))
        return Norm(str(class_path), factory, kind or "activation", version, batch_coupled=False, minimum_batch=1)
    if kind not in (None, registered.kind):
        raise UserError(
            f"norm.kind={kind}: {class_path} is registered as '{registered.name}' of kind {registered.kind}"
        )
    return registered


def _require_factory(found: Callable[..., Any], given: str) -> None:
    """Raise UserError for a class that is no module, and for a module where its class is meant."""
    expected = "expected a torch.nn.Module class or a function that returns one"
    if inspect.isclass(found) and not issubclass(found, nn.Module):
        raise UserError(f"{given}: the class {found.__name__} is no torch.nn.Module; {expected}")
    if isinstance(found, nn.Module):
        raise UserError(f"{given} is {with_article(type(found).__name__)} already built; {expected}")
