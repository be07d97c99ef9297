"""Deep networks at initialisation, all seeds at once: what claims about random networks are measured on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import sqrt
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.norms import choose_norm
from bnbench.seeding import generator
from bnbench.training.replicas import Replicas

Activation = Literal["relu", "linear"]
# the variance that keeps the mean square of what goes through a layer: a ReLU halves it
GAINS: Mapping[Activation, float] = {"relu": 2.0, "linear": 1.0}


# what the weights of the networks that are held at once may take
WEIGHT_BYTES = 2**29


class Layer(NamedTuple):
    """What goes through one layer of every seed's network: Linear, norm, activation."""

    pre_activations: Float[Tensor, "seeds batch width"]
    normed: Float[Tensor, "seeds batch width"]
    outputs: Float[Tensor, "seeds batch width"]


def gaussian_inputs(seeds: Sequence[int], *, rows: int, width: int, name: str = "inputs") -> Tensor:
    """Return standard Gaussian inputs (seeds, rows, width) in float64, on a stream of each seed's own."""
    streams = [generator(seed, "claims", name) for seed in seeds]
    return torch.stack([torch.randn(rows, width, generator=stream, dtype=torch.float64) for stream in streams])


def seeds_at_once(seeds: Sequence[int], *, width: int, depth: int) -> Iterator[Sequence[int]]:
    """Yield the seeds in turns, as many at once as memory is meant to hold the weights of.

    >>> list(seeds_at_once((0, 1, 2), width=1024, depth=30))
    [(0, 1), (2,)]
    """
    together = max(1, WEIGHT_BYTES // (8 * width * width * depth))
    for start in range(0, len(seeds), together):
        yield seeds[start : start + together]


def gaussian_weights(
    seeds: Sequence[int], *, width: int, depth: int, activation: Activation
) -> Iterator[Float[Tensor, "seeds width width"]]:
    """Yield the weights of every layer, N(0, gain / width) in float64: the same for a seed whatever norm they meet."""
    streams = [generator(seed, "claims", "weights") for seed in seeds]
    deviation = sqrt(GAINS[activation] / width)
    for _ in range(depth):
        drawn = [torch.randn(width, width, generator=stream, dtype=torch.float64) for stream in streams]
        yield torch.stack(drawn) * deviation


def layers(
    inputs: Float[Tensor, "seeds batch width"],
    *,
    norm: Mapping[str, Any],
    weights: Iterable[Float[Tensor, "seeds width width"]],
    activation: Activation,
) -> Iterator[Layer]:
    """Yield the layers of a network without biases: x ← activation(norm(x Wᵀ)).

    `norm` is a configuration, as {"name": "batch"}: the layers are bnbench's own, in training mode, stacked as they are
    when they train.
    """
    chosen, hidden = choose_norm(norm), inputs
    for position, weight in enumerate(weights):
        seeds = range(len(weight))
        norms = [chosen.maker(seed)(weight.shape[1]) for seed in seeds]
        replicas = Replicas(norms, seeds=[position * len(weight) + seed for seed in seeds]).double()
        pre_activations = hidden @ weight.mT
        normed = replicas(pre_activations)
        hidden = normed.relu() if activation == "relu" else normed
        yield Layer(pre_activations, normed, hidden)
