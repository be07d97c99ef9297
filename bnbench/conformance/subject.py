"""The norm under test: how to build one, and what to feed it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bnbench.errors import UserError
from bnbench.norms import NORMS, ChosenNorm, Norm, choose_norm
from bnbench.norms.arguments import require_arguments
from bnbench.norms.registration import Kind, registered_as
from bnbench.seeding import generator, global_stream, key_random_streams
from bnbench.source_version import source_version

# divisible by what norms split features into: 2, 3, 4, 6, 8, 12
NUM_FEATURES = 24
# of a single one no row has a spread
FEWEST_FEATURES = 2
# of the Linear a weight norm takes: neither the features nor the rows
NUM_LINEAR_INPUTS = 17
# neither the features nor a divisor of them
NUM_ROWS = 13
# what the configuration of a norm holds beside its options
_OWN_KEYS = frozenset({"name", "class_path", "kind"})


@dataclass(frozen=True, eq=False)
class Subject:
    """A norm, its options, the features and rows it is checked at, and the smallest batch it trains on.

    Equal to itself only: so what was measured of it can be kept (`functools.lru_cache`) and asked for by many checks.
    """

    norm: ChosenNorm
    num_features: int = NUM_FEATURES
    num_rows: int = NUM_ROWS
    smallest_batch: int = 1

    @property
    def kind(self) -> Kind:
        """Return the kind of the norm."""
        return self.norm.norm.kind

    @property
    def num_inputs(self) -> int:
        """Return how many values a row has that the layer takes."""
        return self.num_features if self.kind == "activation" else NUM_LINEAR_INPUTS

    def rows(self, wanted: int) -> int:
        """Return a number of rows as near to the one wanted as the norm trains on."""
        return self.num_rows if wanted == NUM_ROWS else max(wanted, self.smallest_batch)

    def build(self, *, seed: int = 0, dtype: torch.dtype = torch.float32, perturbed: bool = True) -> nn.Module:
        """Return a fresh layer in training mode; the same seed builds the same one.

        `perturbed` moves every parameter from where it starts, so that a γ of 1 or a β of 0 hides nothing: by a factor,
        which leaves what must be positive so, and by addition where a value starts at 0.
        Raises UserError when the factory refuses or returns no module.
        """
        if self.kind == "weight":
            layer = self.norm.replace(self.linear(seed=seed), seed=seed, name="layer")
        else:
            layer = self.norm.maker(seed)(self.num_features)
        self._refuse_lazy(layer)
        key_random_streams(layer, seed)
        if perturbed:
            stream = generator(seed, "conformance", "parameters")
            with torch.no_grad():
                for parameter in layer.parameters():
                    if parameter.is_floating_point():
                        noise = 0.2 * torch.randn(parameter.shape, generator=stream).to(parameter.dtype)
                        parameter.copy_(torch.where(parameter == 0, 0.5 * noise, parameter * noise.exp()))
        return layer.to(dtype).train()

    def _refuse_lazy(self, layer: nn.Module) -> None:
        """Raise UserError for a layer whose parameters have no shape before its first batch."""
        for module in layer.modules():
            if any(map(is_lazy, (*module.parameters(recurse=False), *module.buffers(recurse=False)))):
                raise UserError(
                    f"norm '{self.norm.entry}' is lazy: {type(module).__name__} has no shapes before its first batch, "
                    "expected a layer that is made of num_features"
                )

    def linear(self, *, seed: int = 0) -> nn.Linear:
        """Return the Linear that a weight norm is built from; the same seed makes the same one."""
        with global_stream(seed, "conformance", "linear"):
            return nn.Linear(self.num_inputs, self.num_features)

    def inputs(
        self, rows: int | None = None, *, seed: int = 0, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "rows inputs"]:
        """Return ordinary inputs: features that differ in place and spread; drawn in float64, then cast."""
        stream = generator(seed, "conformance", "inputs")
        values = torch.randn(rows or self.num_rows, self.num_inputs, generator=stream, dtype=torch.float64)
        spread = torch.linspace(0.5, 2.0, self.num_inputs, dtype=torch.float64)
        place = torch.linspace(-1.0, 1.0, self.num_inputs, dtype=torch.float64)
        return (values * spread + place).to(dtype)


def subject_of(
    target: str | Callable[..., nn.Module],
    *,
    kind: Kind | None = None,
    options: Mapping[str, Any] | None = None,
    num_features: int = NUM_FEATURES,
) -> Subject:
    """Return the subject that a registered name, a class path `package.module:Name`, a class or a function stands for.

    Raises UserError for what cannot be found, imported or built, and for options it does not take.
    """
    given = dict(options or {})
    if num_features < FEWEST_FEATURES:
        raise UserError(f"num_features={num_features}: expected at least {FEWEST_FEATURES}")
    if own := sorted(_OWN_KEYS.intersection(given)):
        raise UserError(f"option {own[0]}={given[own[0]]}: {own[0]} is a key of bnbench's own, never a norm's")
    if not isinstance(target, str):
        return Subject(_chosen_callable(target, kind, given), num_features)
    if ":" in target or "." in target:  # a name has no dot: said with one, a class path was meant
        return Subject(
            choose_norm({"name": "custom", "class_path": target, "kind": kind, **given}, key="norm"), num_features
        )
    registered = NORMS.get(target).kind
    if kind not in (None, registered):
        raise UserError(f"kind={kind}: norm '{target}' is registered as of kind {registered}")
    return Subject(choose_norm({"name": target, **given}), num_features)


def _chosen_callable(factory: Callable[..., nn.Module], kind: Kind | None, options: dict[str, Any]) -> ChosenNorm:
    norm = registered_as(factory)
    if norm is None:
        name = getattr(factory, "__qualname__", repr(factory))
        norm = Norm(name, factory, kind or "activation", source_version(factory), batch_coupled=False, minimum_batch=1)
    norm.check_options(options)
    require_arguments(norm, options)
    return ChosenNorm(norm, {**norm.defaults(), **options})
