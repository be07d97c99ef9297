"""Internal covariate shift, as Santurkar et al. and as Ioffe & Szegedy have it."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.training.diagnostics.ascending import PERCENTILES, ascending, percentiles
from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.flat import Vectors, dot, flat, norm
from bnbench.training.diagnostics.moment import Moment
from bnbench.training.diagnostics.network import without_known_layers

# a deep network is looked at in so many places: each costs most of a step
MAX_LAYERS = 4
MAX_ROWS = 64
MAX_UNITS = 16

PerReplica = Float[Tensor, " replicas"]
Samples = Float[Tensor, "replicas units rows"]


@diagnostic("covariate_shift", why_not=without_known_layers)
def measure_covariate_shift(moment: Moment) -> list[Measurement]:
    """Measure what the last step of the layers below did to a layer, and how the inputs of its units have moved.

    Of the step (not at step 0), on its minibatch and in training mode, for up to four layers above the first, the
    output included: covariate_shift_distance = ‖G − G′‖ and covariate_shift_cosine = cos(G, G′), with G the gradient by
    the layer's weights at the weights before the step, and G′ that with all layers below as they are after it.

    Of the inputs of each nonlinearity, in evaluation mode, on up to 64 rows of the probe batch: unit_p15,
    unit_p50 and unit_p85, the percentiles of its first unit; and against the evaluation before, as means over its first
    16 units, percentile_drift = mean |Q(t) − Q(t₀)| / (Q85(t) − Q15(t)) and wasserstein_distance.

    Sources: Santurkar et al. 2018 (arXiv:1805.11604), definition 2.1; Ioffe & Szegedy 2015 (arXiv:1502.03167), figure
    1 b and c.
    """
    before = moment.weights_before
    return [*([] if before is None else _of_the_step(moment, before)), *_of_the_inputs(moment)]


def _of_the_step(moment: Moment, before: Mapping[str, Tensor]) -> list[Measurement]:
    by_layer = moment.network.weights
    layers = spread_over([*by_layer][1:], at_most=MAX_LAYERS)
    gradients = _gradients(moment, before, [name for layer in layers for name in by_layer[layer]])
    found = []
    for layer in layers:
        below = below_layer(layer, names=list(before))
        stepped = {name: moment.weights[name] if name in below else weights for name, weights in before.items()}
        gradients_stepped = _gradients(moment, stepped, by_layer[layer])
        one, other = (flat([held[name] for name in by_layer[layer]]) for held in (gradients, gradients_stepped))
        found += [
            Measurement("covariate_shift_distance", layer, norm(one - other)),
            Measurement("covariate_shift_cosine", layer, cosine(one, other)),
        ]
    return found


def _gradients(moment: Moment, weights: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """Return the gradients by some of the weights: nothing goes backward through the layers below those."""
    asked = {name: weights[name].clone().requires_grad_() for name in names}
    with torch.enable_grad():
        losses = moment.losses(moment.minibatch, weights={**weights, **asked})
    return dict(zip(asked, torch.autograd.grad(losses.sum(), list(asked.values())), strict=True))


@torch.no_grad()
def _of_the_inputs(moment: Moment) -> list[Measurement]:
    places = [layer.activation_input for layer in moment.network.layers]
    seen = moment.run(moment.probe.inputs[..., :MAX_ROWS, :], see=places).places
    found = []
    for layer in moment.network.layers:
        now = ascending(seen[layer.activation_input][:, :, :MAX_UNITS].mT).double()
        found += [
            Measurement(f"unit_p{share * 100:.0f}", layer.name, values)
            for share, values in zip(PERCENTILES, percentiles(now[:, 0], PERCENTILES).unbind(1), strict=True)
        ]
        if layer.name in moment.memory:
            before = moment.memory[layer.name]
            found += [
                Measurement("percentile_drift", layer.name, percentile_drift(before, now).mean(1)),
                Measurement("wasserstein_distance", layer.name, wasserstein_distance(before, now).mean(1)),
            ]
        moment.memory[layer.name] = now
    return found


def below_layer(layer: str, *, names: Sequence[str]) -> set[str]:
    """Return the names of the parameters of all layers below: parameters are named in the order of the layers.

    >>> sorted(below_layer("hidden.1", names=["hidden.0.linear.weight", "hidden.1.linear.weight", "output.weight"]))
    ['hidden.0.linear.weight']
    """
    first = next(place for place, name in enumerate(names) if name.startswith(f"{layer}."))
    return set(names[:first])


def spread_over(layers: Sequence[str], *, at_most: int) -> list[str]:
    """Return so many of the layers at most, evenly spread, the first and the last among them.

    >>> spread_over(["1", "2", "3", "4", "5", "6", "7"], at_most=4)
    ['1', '3', '5', '7']
    """
    if len(layers) <= at_most:
        return list(layers)
    return [layers[round(place * (len(layers) - 1) / (at_most - 1))] for place in range(at_most)]


def cosine(one: Vectors, other: Vectors) -> PerReplica:
    """Return the cosine of the angle between the vectors; NaN where one has no direction."""
    return dot(one, other) / (norm(one) * norm(other))


def percentile_drift(before: Samples, now: Samples) -> Float[Tensor, "replicas units"]:
    """Return how far the percentiles have gone, in units of the spread: mean |Q(t) − Q(t₀)| / (Q85(t) − Q15(t))."""
    then, here = percentiles(before, PERCENTILES), percentiles(now, PERCENTILES)
    return (here - then).abs().mean(2) / (here[..., -1] - here[..., 0])


def wasserstein_distance(before: Samples, now: Samples) -> Float[Tensor, "replicas units"]:
    """Return the Wasserstein-1 distance of two samples of one size, each ascending: the mean of |x₍ᵢ₎ − y₍ᵢ₎|."""
    return (now - before).abs().mean(2)
