"""A network without data: it computes with the tensors it is lent for one call."""

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

Names = tuple[str, ...]


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
