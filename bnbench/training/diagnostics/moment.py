"""What diagnostics are given at an evaluation: the networks as they stand, data, and ways to run them that leave no
trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from bnbench.training.diagnostics.network import Network
from bnbench.training.losses import row_losses
from bnbench.training.replicas import Replicas
from bnbench.training.skeleton import Place

NOTHING: Mapping[str, Tensor] = MappingProxyType({})
NO_SHIFTS: Mapping[Place, Tensor] = MappingProxyType({})


class Batch(NamedTuple):
    """Rows and their labels: of each replica its own (R, B, d) and (R, B), or the same for all (B, d) and (B,)."""

    inputs: Float[Tensor, "*replicas batch features"]
    labels: Shaped[Tensor, "*replicas batch"]


class Seen(NamedTuple):
    """What one run of the networks gives: their outputs, and what passed the places that were asked for (R, B, n)."""

    outputs: Float[Tensor, "replicas batch outputs"]
    places: dict[Place, Float[Tensor, "replicas batch features"]]


class Gradients(NamedTuple):
    """The losses of the replicas and their gradients, by weights (R, ...) and by what passes places (R, B, n)."""

    losses: Float[Tensor, " replicas"]
    weights: dict[str, Float[Tensor, "replicas ..."]]
    places: dict[Place, Float[Tensor, "replicas batch features"]]


@dataclass(frozen=True)
class Moment:
    """One evaluation as a diagnostic sees it. Every tensor has the replicas in front, R of them.

    `minibatch` is that of the last step, at step 0 that of the first; `probe` are fixed rows of the training part, the
    same for all replicas, norms and evaluations. `learning_rates` (R,) are those of the last step too.
    `weights_before` are the trained weights before the last step, None at step 0. `memory` is what this diagnostic left
    here at the evaluation before: tensors with the replicas in front, which follow when replicas leave.

    `losses`, `run` and `gradients` run copies: weights, running statistics and random draws stay as they are, and the
    same call gives the same again. In training mode the draws are those of the next step.
    """

    step: int
    network: Network
    seeds: tuple[int, ...]
    learning_rates: Float[Tensor, " replicas"]
    probe: Batch
    minibatch: Batch
    weights_before: Mapping[str, Tensor] | None
    memory: dict[str, Tensor]
    replicas: Replicas

    @property
    def weights(self) -> dict[str, Float[Tensor, "replicas ..."]]:
        """Return all trained parameters by name, without gradient; they are those that train: never write to them."""
        named = zip(self.replicas.parameter_names, self.replicas.parameters_stacked, strict=True)
        return {name: stack.detach() for name, stack in named if stack.requires_grad}

    def run(
        self,
        inputs: Float[Tensor, "*replicas batch features"],
        *,
        weights: Mapping[str, Tensor] = NOTHING,
        training: bool = False,
        see: Sequence[Place] = (),
        shifts: Mapping[Place, Tensor] = NO_SHIFTS,
    ) -> Seen:
        """Return the outputs and what passes places, at `weights` for those that stand; `shifts` are added at places.

        Differentiable in weights and shifts that ask for it.
        """
        return Seen(*self.replicas.look(inputs, weights=weights, training=training, see=see, shifts=shifts))

    def losses(
        self,
        batch: Batch,
        *,
        weights: Mapping[str, Tensor] = NOTHING,
        training: bool = True,
        shifts: Mapping[Place, Tensor] = NO_SHIFTS,
    ) -> Float[Tensor, " replicas"]:
        """Return the mean loss over the batch of every replica, as training has it, weight decay not included."""
        outputs = self.run(batch.inputs, weights=weights, training=training, shifts=shifts).outputs
        return row_losses(self.network.loss)(outputs, batch.labels.expand(len(outputs), -1)).mean(1)

    @torch.enable_grad()
    def gradients(
        self,
        batch: Batch,
        *,
        weights: Mapping[str, Tensor] = NOTHING,
        training: bool = True,
        places: Sequence[Place] = (),
        create_graph: bool = False,
    ) -> Gradients:
        """Return losses and gradients at `weights` for those that stand, by all trained parameters and by places.

        The gradients are ∂loss/∂w of each replica's own mean loss. With `create_graph` they can be differentiated by
        the `weights` that were given: the sum over weights of gradient · v, differentiated, is H v of each replica.
        """
        point = {
            name: value if value.requires_grad else value.clone().requires_grad_()
            for name, value in {**self.weights, **weights}.items()
        }
        shifts = self._zeros_at(batch, places, training=training)
        losses = self.losses(batch, weights=point, training=training, shifts=shifts)
        wanted = [*point.values(), *shifts.values()]
        found = torch.autograd.grad(losses.sum(), wanted, allow_unused=True, create_graph=create_graph)
        gradients = [torch.zeros_like(at) if one is None else one for at, one in zip(wanted, found, strict=True)]
        by_weights = dict(zip(point, gradients, strict=False))
        return Gradients(losses.detach(), by_weights, dict(zip(places, gradients[len(point) :], strict=True)))

    def _zeros_at(self, batch: Batch, places: Sequence[Place], *, training: bool) -> dict[Place, Tensor]:
        """Return zeros to add at places: the gradient by them is that by what passes there."""
        if not places:
            return {}
        with torch.no_grad():
            seen = self.run(batch.inputs, training=training, see=places).places
        return {place: torch.zeros_like(values).requires_grad_() for place, values in seen.items()}
