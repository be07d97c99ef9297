"""How the loss looks along its gradient, as far as steps of the learning rate reach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.flat import Vectors, flat, norm, split
from bnbench.training.diagnostics.moment import Moment

# where to look, in learning rates: from the half to the fourfold as published, and the step itself among them; each
# costs a step
STEPS = (0.5, 1.0, 2.0, 4.0)

PerReplica = Float[Tensor, " replicas"]
# weights (R, n) → loss (R,) and gradient (R, n) of every replica on its own minibatch
LossAndGradient = Callable[[Vectors], tuple[PerReplica, Vectors]]


@diagnostic("landscape", copies=12)
def measure_landscape(moment: Moment) -> list[Measurement]:
    """Measure what `probe_landscape` says of the step just made: its minibatch, the weights before it, training mode.

    The first evaluation is before the first step, at the initial weights and on the minibatch of that step. Along the
    gradient whatever the optimizer, as published.
    """
    here = moment.weights if moment.weights_before is None else moment.weights_before
    stacks = list(here.values())

    def loss_and_gradient(weights: Vectors) -> tuple[PerReplica, Vectors]:
        parts = split(weights.detach().requires_grad_(), like=stacks)  # asking for gradients, they are not copied
        point = dict(zip(here, parts, strict=True))
        found = moment.gradients(moment.minibatch, weights=point)
        return found.losses, flat([found.weights[name] for name in here])

    probed = probe_landscape(loss_and_gradient, flat(stacks), moment.learning_rates)
    return [Measurement(name, "", values) for name, values in vars(probed).items()]


@dataclass(frozen=True)
class Landscape:
    """What the probes found; the relative ones do not change with the scale of the weights or of the loss."""

    loss_range: PerReplica
    gradient_predictiveness: PerReplica
    effective_smoothness: PerReplica
    relative_loss_range: PerReplica
    relative_gradient_change: PerReplica
    relative_smoothness: PerReplica


def probe_landscape(
    loss_and_gradient: LossAndGradient,
    weights: Vectors,
    learning_rates: PerReplica,
    *,
    steps: Sequence[float] = STEPS,
) -> Landscape:
    """Return how loss and gradient change at w(a) = w − a η g, η being the learning rate.

    loss range = max L(w(a)) − min L(w(a)); gradient predictiveness = max d(a) − min d(a), d(a) = ‖g(w(a)) − g(w)‖;
    effective smoothness β = max d(a) / ‖w(a) − w‖. Relative: the loss range / L(w); max d(a) / ‖g(w)‖; and
    β · ‖w‖ / ‖g(w)‖, the relative change of the gradient for a relative change of the weights.

    Source: Santurkar et al. 2018 (arXiv:1805.11604), section 3.1; the relative forms are ours.
    """
    loss, gradient = loss_and_gradient(weights)
    losses, changes, slopes = [], [], []
    for step in steps:
        there = weights - (step * learning_rates)[:, None].to(weights.dtype) * gradient
        loss_there, gradient_there = loss_and_gradient(there)
        change = norm(gradient_there - gradient)
        losses.append(loss_there.double())
        changes.append(change)
        # the step as it was taken: a small one is rounded where the weights are
        slopes.append(change / norm(there - weights))
    loss_range = _range(torch.stack(losses))
    change_of_points = torch.stack(changes)
    smoothness = torch.stack(slopes).amax(0)
    length = norm(gradient)
    return Landscape(
        loss_range=loss_range,
        gradient_predictiveness=_range(change_of_points),
        effective_smoothness=smoothness,
        relative_loss_range=loss_range / loss.double(),
        relative_gradient_change=change_of_points.amax(0) / length,
        relative_smoothness=smoothness * norm(weights) / length,
    )


def _range(values: Float[Tensor, "points replicas"]) -> PerReplica:
    return values.amax(0) - values.amin(0)
