"""Elementwise optimizers over stacked parameters, one learning rate per run of neighbouring replicas."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from bnbench.errors import UserError, nearest

# only updates that treat every number by itself: one that mixes them (LBFGS, LARS, Muon) would mix replicas
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


def check_optimizer(name: str) -> None:
    """Raise UserError for an optimizer that is unknown or would mix replicas."""
    if name not in OPTIMIZERS:
        raise UserError(
            f"optimizer '{name}' is unknown or mixes the entries of a tensor, and with them replicas; "
            f"{nearest(name, OPTIMIZERS)}"
        )


class _Pack:
    """A tensor (R, n) for the optimizer to update: one stack as it is, or several side by side.

    n is a multiple of 16, a cache line of float32. Fused optimizers treat whole lines by vector instructions and what
    is left over one by one, which rounds differently; with whole lines only, a replica's update does not depend on
    where in the stack it stands.
    """

    LINE = 16

    def __init__(self, stacks: Sequence[nn.Parameter]) -> None:
        self.stacks = stacks
        self.whole = len(stacks) == 1 and stacks[0][0].numel() % self.LINE == 0
        self._lay_out(torch.cat([_rows(stack.detach()) for stack in stacks], dim=1))

    def _lay_out(self, values: Tensor) -> None:
        if self.whole:
            self.values = _rows(self.stacks[0].detach())
            return
        self._padding = values.new_zeros(len(values), -values.shape[1] % self.LINE)
        self.values = torch.cat([values, self._padding], dim=1)
        columns = 0
        for stack in self.stacks:
            width = stack[0].numel()
            stack.data = self.values[:, columns : columns + width].view(stack.shape)
            columns += width

    def gradient(self) -> Tensor:
        """Return the gradients of the stacks in the layout of the values, without a copy where there is one stack."""
        gradients = [torch.zeros_like(stack) if stack.grad is None else stack.grad for stack in self.stacks]
        flat = [_rows(gradient) for gradient in gradients]
        return flat[0] if self.whole else torch.cat([*flat, self._padding], dim=1)

    def follow(self) -> None:
        """Take over the values of the stacks after replicas have left them."""
        self._lay_out(torch.cat([_rows(stack.detach()) for stack in self.stacks], dim=1))


class StackedOptimizer:
    """A torch optimizer over slices of the stacked parameters: one slice per learning rate.

    Slices share memory with the stacks, so a step updates them in place. `decays` says of each stack whether weight
    decay pulls at it.
    """

    def __init__(
        self,
        stacks: Sequence[nn.Parameter],
        options: Mapping[str, Any],
        learning_rates: Sequence[float],
        *,
        decays: Sequence[bool],
    ) -> None:
        self.stacks = list(stacks)
        self._slices: list[tuple[_Pack, slice, nn.Parameter]] = []
        decaying = _packs([stack for stack, decay in zip(self.stacks, decays, strict=True) if decay])
        others = _packs([stack for stack, decay in zip(self.stacks, decays, strict=True) if not decay])
        groups = [
            {
                "params": [self._slice(pack, part) for pack in packs],
                "lr": rate,
                "weight_decay": weight_decay,
            }
            for rate, part in _runs(learning_rates)
            for packs, weight_decay in ((decaying, options["weight_decay"]), (others, 0.0))
            if packs
        ]
        self._packs = [*decaying, *others]
        self.torch = _create(groups, options)

    def _slice(self, pack: _Pack, part: slice) -> nn.Parameter:
        leaf = nn.Parameter(pack.values[part])
        self._slices.append((pack, part, leaf))
        return leaf

    def take_gradients(self) -> None:
        """Hand the gradients of the stacks to the slices."""
        gradients = {id(pack): pack.gradient() for pack in self._packs}
        for pack, part, leaf in self._slices:
            leaf.grad = gradients[id(pack)][part]

    def clear_gradients(self) -> None:
        """Drop all gradients."""
        for tensor in (*self.stacks, *(leaf for _, _, leaf in self._slices)):
            tensor.grad = None

    @torch.no_grad()
    def keep(self, chosen: Tensor) -> None:
        """Follow the stacks, from which every replica but the chosen ones ((k,) positions, ascending) was taken out."""
        for pack in self._packs:
            pack.follow()
        before, self._slices = self._slices, []
        start = dict.fromkeys((id(pack) for pack in self._packs), 0)
        for pack, part, leaf in before:
            inside = chosen[(chosen >= part.start) & (chosen < part.stop)] - part.start
            state = self.torch.state[leaf]
            for key, value in state.items():
                if isinstance(value, Tensor) and value.dim() > 0:
                    state[key] = value[inside.to(value.device)]
            first = start[id(pack)]
            start[id(pack)] = first + len(inside)
            moved = slice(first, first + len(inside))
            leaf.data = pack.values[moved]
            self._slices.append((pack, moved, leaf))

    def state(self) -> dict[str, Tensor]:
        """Return the running averages of every slice, in their order."""
        held = [self.torch.state[leaf] for _, _, leaf in self._slices]
        return {f"{place}.{name}": value for place, own in enumerate(held) for name, value in own.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on with these averages, for slices of the same replicas."""
        for key, value in state.items():
            place, _, name = key.partition(".")
            leaf = self._slices[int(place)][2]
            self.torch.state[leaf][name] = value.clone().to(leaf.device)


def _packs(stacks: Sequence[nn.Parameter]) -> list[_Pack]:
    """Return a pack for each stack of whole lines, and one for all the others together."""
    whole = [stack for stack in stacks if stack[0].numel() % _Pack.LINE == 0]
    rest = [stack for stack in stacks if stack[0].numel() % _Pack.LINE != 0]
    return [*(_Pack([stack]) for stack in whole), *([_Pack(rest)] if rest else [])]


def _rows(stack: Tensor) -> Tensor:
    """Return a stack as (replicas, numbers): a single number per replica is one column."""
    return stack.reshape(len(stack), -1)


def _runs(learning_rates: Sequence[float]) -> list[tuple[float, slice]]:
    """Return each run of equal learning rates with the slice of replicas it covers."""
    parts, start = [], 0
    for rate, members in groupby(learning_rates):
        length = len(list(members))
        parts.append((rate, slice(start, start + length)))
        start += length
    return parts


def _create(groups: list[dict[str, Any]], options: Mapping[str, Any]) -> torch.optim.Optimizer:
    # fused: one pass over memory per tensor instead of one per operation
    name = options["name"]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=1.0, fused=True)
    if name == "momentum":
        return torch.optim.SGD(groups, lr=1.0, momentum=options["momentum"], nesterov=options["nesterov"], fused=True)
    family = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return family(groups, lr=1.0, betas=tuple(options["betas"]), eps=options["eps"], fused=True)


def clip_gradients(stacks: Sequence[nn.Parameter], maximum_norm: float) -> None:
    """Scale the gradients of each replica so that their joint Euclidean norm is at most `maximum_norm`.

    A norm over the whole stack would let one replica's NaN into all of them.
    """
    gradients = [stack.grad for stack in stacks if stack.grad is not None]
    # one after another: the sum of a stacked tensor adds in an order that depends on the number of replicas
    squares = sum(_rows(gradient).square().sum(1) for gradient in gradients)
    factors = (maximum_norm / (torch.as_tensor(squares).sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factors.view(-1, *[1] * (gradient.dim() - 1)))
