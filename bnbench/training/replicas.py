"""All seeds at once: R networks stacked on a leading dimension and run as one."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from bnbench.models import decaying_parameters
from bnbench.training.compiled import CompiledRun
from bnbench.training.skeleton import Names, Place, Skeleton


class Replicas(nn.Module):
    """R networks of one shape, their parameters and buffers stacked: tensor (R, ...) per name.

    One path for every R, a stack of one included, so that replica k is the run of its seed alone, bit for bit on the
    CPU. `stacked=False` runs one replica after another instead, for networks that `vmap` cannot take; each then keeps
    its own state of torch's global generator, should the network draw from it. With `compiled` a stack trains by
    `torch.compile`; then the last bits of a replica may depend on its company.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        *,
        stacked: bool = True,
        seeds: Sequence[int] = (),
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.stacked = stacked
        self._skeleton = Skeleton(networks[0])
        self._run = torch.vmap(self._skeleton, randomness="error")
        # in training only: evaluations, of other numbers of rows, are what they are without
        self._run_in_training = CompiledRun(self._run) if compiled and stacked else self._run
        self.parameter_names: Names = self._skeleton.parameter_names
        self.buffer_names: Names = self._skeleton.buffer_names
        self.parameters_stacked = nn.ParameterList(
            _stacked([network.get_parameter(name) for network in networks]) for name in self.parameter_names
        )
        decaying = decaying_parameters(networks[0])
        self._decays = [name in decaying for name in self.parameter_names]
        for position, name in enumerate(self.buffer_names):
            self.register_buffer(_buffer(position), torch.stack([network.get_buffer(name) for network in networks]))
        self._members = list(range(len(networks)))
        self._random_states = [torch.Generator().manual_seed(seed).get_state() for seed in seeds]

    @property
    def count(self) -> int:
        """Return R, the number of replicas in the stack."""
        return self.parameters_stacked[0].shape[0]

    @property
    def trained(self) -> list[nn.Parameter]:
        """Return the stacked parameters that are not frozen."""
        return [stack for stack in self.parameters_stacked if stack.requires_grad]

    @property
    def trained_decay(self) -> list[bool]:
        """Return of each of those whether weight decay pulls at it."""
        return [
            decays for stack, decays in zip(self.parameters_stacked, self._decays, strict=True) if stack.requires_grad
        ]

    @property
    def decaying_names(self) -> Names:
        """Return the names of the trained weight matrices, which weight decay pulls at."""
        named = zip(self.parameter_names, self.parameters_stacked, self._decays, strict=True)
        return tuple(name for name, stack, decays in named if decays and stack.requires_grad)

    @property
    def buffers_stacked(self) -> list[Tensor]:
        """Return the stacked buffers, in the order of their names."""
        return [getattr(self, _buffer(position)) for position in range(len(self.buffer_names))]

    def forward(self, inputs: Float[Tensor, "*replicas batch features"]) -> Float[Tensor, "replicas batch outputs"]:
        """Return the outputs of every replica: on its own batch (R, B, d), or on one batch for all (B, d)."""
        self._skeleton.train(self.training)
        run = self._run_stacked if self.stacked else self._run_one_by_one
        outputs, buffers = run(inputs)
        for held, returned in zip(self.buffers_stacked, buffers, strict=True):
            # a network may write its buffers in place or assign new ones: the second reaches us only here
            if returned.data_ptr() != held.data_ptr():
                held.copy_(returned)
        return outputs

    def _run_stacked(self, inputs: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        if inputs.dim() == 2:
            # seen by all: as R batches, or the stack would be folded into one product, rounded as its size has it
            inputs = inputs.expand(self.count, *inputs.shape)
        run = self._run_in_training if self.training else self._run
        outputs, buffers = run(list(self.parameters_stacked), self.buffers_stacked, inputs)
        return outputs, buffers

    def _run_one_by_one(self, inputs: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        # unbind, not select: its gradient is one stack instead of R zero-filled copies; cloned, as its views cannot be
        # written, and a network may write into its parameters, at a start that depends on the data say
        parameters = list(
            zip(*([view.clone() for view in stack.unbind()] for stack in self.parameters_stacked), strict=True)
        )
        outputs, buffers = [], []
        for replica, member in enumerate(self._members):
            own_buffers = [stack[replica].clone() for stack in self.buffers_stacked]
            batch = inputs[replica] if inputs.dim() == 3 else inputs
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(self._random_states[member])
                output, own_buffers_after = self._skeleton(parameters[replica], own_buffers, batch)
                self._random_states[member] = torch.get_rng_state()
            outputs.append(output)
            buffers.append(own_buffers_after)
        for stack, values in zip(self.parameters_stacked, zip(*parameters, strict=True), strict=True):
            # into the data: what was written is kept, and no gradient knows of it
            torch.stack([value.detach() for value in values], out=stack.data)
        return torch.stack(outputs), tuple(torch.stack(values) for values in zip(*buffers, strict=True))

    def look(
        self,
        inputs: Float[Tensor, "*replicas batch features"],
        *,
        weights: Mapping[str, Tensor],
        training: bool,
        see: Sequence[Place] = (),
        shifts: Mapping[Place, Tensor] = MappingProxyType({}),
    ) -> tuple[Float[Tensor, "replicas batch outputs"], dict[Place, Tensor]]:
        """Return the outputs at weights of the caller's, and what passes the places to see; nothing of it is kept.

        `weights` are stacked parameters by name; those left out are as they stand. `shifts` (R, B, ...) are added at
        their places. Buffers and random draws are those of the next step, which will find them as they were: the
        networks run on copies.
        """
        self._skeleton.train(training)
        given = zip(self.parameter_names, self.parameters_stacked, strict=True)
        parameters = [weights.get(name, stack.detach()) for name, stack in given]
        places = list(shifts)

        def one(
            own: Sequence[Tensor], held: Sequence[Tensor], batch: Tensor, moved: Sequence[Tensor]
        ) -> tuple[Tensor, tuple[Tensor, ...]]:
            moves = dict(zip(places, moved, strict=True))
            return self._skeleton.look(own, held, batch, see=see, shifts=moves)

        if inputs.dim() == 2:
            inputs = inputs.expand(self.count, *inputs.shape)
        moved = list(shifts.values())
        if self.stacked:
            weights_copied, buffers = ([stack.clone() for stack in held] for held in (parameters, self.buffers_stacked))
            outputs, seen = torch.vmap(one, randomness="error")(weights_copied, buffers, inputs, moved)
        else:
            outputs, seen = self._in_turn(one, parameters, self.buffers_stacked, inputs, moved)
        return outputs, dict(zip(see, seen, strict=True))

    def _in_turn(
        self, one: Callable[..., tuple[Tensor, tuple[Tensor, ...]]], *arguments: Any
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return what `vmap` would, from one replica after another, each at its own state of the global generator."""
        stacks, form = tree_flatten(arguments)
        slices = [stack.unbind() for stack in stacks]
        results = []
        with torch.random.fork_rng(devices=[]):
            for replica, member in enumerate(self._members):
                torch.set_rng_state(self._random_states[member])
                results.append(one(*tree_unflatten([own[replica].clone() for own in slices], form)))
        outputs, seen = zip(*results, strict=True)
        return torch.stack(outputs), tuple(torch.stack(values) for values in zip(*seen, strict=True))

    def module(self, name: str) -> nn.Module:
        """Return a module of the network by name; its tensors hold no data."""
        return self._skeleton.module(name)

    def finite(self) -> Tensor:
        """Return, per replica, whether every parameter is finite: (R,) bool."""
        alive = torch.ones(self.count, dtype=torch.bool, device=self.parameters_stacked[0].device)
        for stack in self.parameters_stacked:
            alive &= torch.isfinite(stack).reshape(len(stack), -1).all(1)
        return alive

    @torch.no_grad()
    def keep(self, chosen: Tensor) -> None:
        """Take every replica out of the stack but the chosen ones ((k,) positions); the others are not touched."""
        for parameter in self.parameters_stacked:
            parameter.grad = None
            parameter.data = parameter.data[chosen]
        for position, stack in enumerate(self.buffers_stacked):
            setattr(self, _buffer(position), stack[chosen])
        self._members = [self._members[replica] for replica in chosen.tolist()]

    def snapshot(self) -> dict[str, Tensor]:
        """Return a copy of all parameters and buffers, by name, stacked."""
        return {name: value.detach().clone() for name, value in self._named_stacks()}

    @torch.no_grad()
    def restore(self, snapshot: Mapping[str, Tensor]) -> None:
        """Set all parameters and buffers to those of a snapshot of the full stack, which it becomes again."""
        for name, value in self._named_stacks():
            value.data = snapshot[name].clone()
        self._members = list(range(self.count))

    @torch.no_grad()
    def copy_into(self, snapshot: Mapping[str, Tensor], *, chosen: Tensor) -> None:
        """Overwrite a snapshot of the full stack for the chosen replicas ((k,) positions among those in the stack)."""
        members = torch.tensor(self._members, device=chosen.device)[chosen]
        for name, value in self._named_stacks():
            snapshot[name][members] = value.detach()[chosen]

    def state(self) -> dict[str, Tensor]:
        """Return parameters and buffers of the replicas in the stack, and where those that run by turns stand."""
        turns = {} if self.stacked else {"random_states": torch.stack(self._random_states)}
        return {**dict(self._named_stacks()), **turns}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Set them to those of another stack of the same replicas."""
        for name, value in self._named_stacks():
            value.copy_(state[name])
        if not self.stacked:
            self._random_states = [held.clone() for held in state["random_states"]]

    def _named_stacks(self) -> list[tuple[str, Tensor]]:
        stacks = [*self.parameters_stacked, *self.buffers_stacked]
        return list(zip(self.parameter_names + self.buffer_names, stacks, strict=True))


def _stacked(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """Return the parameter of all networks; frozen where it is frozen in the first."""
    values = torch.stack([parameter.detach() for parameter in parameters])
    return nn.Parameter(values, requires_grad=parameters[0].requires_grad)


def _buffer(position: int) -> str:
    return f"buffer_{position}"
