"""A network without data: it computes with the tensors it is lent for one call."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Names = tuple[str, ...]


class Place(NamedTuple):
    """A place in a network: what goes into the module of this name, or what comes out of it."""

    module: str
    side: Literal["input", "output"]


class Skeleton:
    """What `torch.func.functional_call` does, for one network called very often: places are looked up once.

    The names are those of `named_parameters` and `named_buffers`; what shares a tensor is lent the same one.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = _without_data(network).train()
        self.parameter_names: Names = tuple(name for name, _ in self._network.named_parameters())
        self.buffer_names: Names = tuple(name for name, _ in self._network.named_buffers())
        placeholders: list[Tensor] = [*self._network.parameters(), *self._network.buffers()]
        order = {id(placeholder): position for position, placeholder in enumerate(placeholders)}
        self._placeholders = placeholders
        self._places = [
            (held, key, order[id(value)])
            for held in _dictionaries(self._network)
            for key, value in held.items()
            if value is not None
        ]
        first = {position: (held, key) for held, key, position in reversed(self._places)}
        self._buffer_places = [first[position] for position in range(len(self.parameter_names), len(placeholders))]

    def train(self, mode: bool) -> None:
        """Set training or evaluation mode."""
        if self._network.training != mode:
            self._network.train(mode)

    def __call__(
        self, parameters: Sequence[Tensor], buffers: Sequence[Tensor], inputs: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the outputs, and the buffers as the network leaves them: written in place, or new ones."""
        try:
            self._lend([*parameters, *buffers])
            outputs = self._network(inputs)
            return outputs, tuple(held[key].detach() for held, key in self._buffer_places)
        finally:
            self._lend(self._placeholders)

    def look(
        self,
        parameters: Sequence[Tensor],
        buffers: Sequence[Tensor],
        inputs: Tensor,
        *,
        see: Sequence[Place],
        shifts: Mapping[Place, Tensor],
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the outputs and what passes the places to see, after the shifts that are added at theirs."""
        seen: dict[Place, Tensor] = {}
        handles = [self._watch(place, seen, shifts.get(place)) for place in dict.fromkeys((*see, *shifts))]
        try:
            outputs, _ = self(parameters, buffers, inputs)
        finally:
            for handle in handles:
                handle.remove()
        return outputs, tuple(seen[place] for place in see)

    def module(self, name: str) -> nn.Module:
        """Return a module of the network; its tensors hold no data."""
        return self._network.get_submodule(name)

    def _watch(self, place: Place, seen: dict[Place, Tensor], shift: Tensor | None) -> RemovableHandle:
        def take(value: Tensor) -> Tensor:
            seen[place] = value if shift is None else value + shift
            return seen[place]

        module = self.module(place.module)
        if place.side == "input":
            return module.register_forward_pre_hook(lambda _, arguments: (take(arguments[0]), *arguments[1:]))
        return module.register_forward_hook(lambda _, __, output: take(output))

    def _lend(self, values: Sequence[Tensor]) -> None:
        # straight into the dictionaries of the modules: to assign an attribute goes through checks, every step
        for held, key, position in self._places:
            held[key] = values[position]


def _dictionaries(network: nn.Module) -> list[dict[str, Any]]:
    return [held for module in network.modules() for held in (module._parameters, module._buffers)]


def _without_data(network: nn.Module) -> nn.Module:
    """Return a copy of the network whose parameters and buffers hold no data; what is shared stays shared."""
    placeholders = {
        **{
            id(value): nn.Parameter(value.detach().to("meta"), requires_grad=value.requires_grad)
            for value in network.parameters()
        },
        **{id(value): value.detach().to("meta") for value in network.buffers()},
    }
    return copy.deepcopy(network, placeholders)
