"""Slopes of a layer along directions: by autograd, and by finite differences as an independent witness."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from bnbench.conformance.passes import cotangent, outputs_of, restore, tensors_of, train
from bnbench.conformance.precision import widened
from bnbench.conformance.subject import Subject
from bnbench.seeding import generator

NUM_DENSE_DIRECTIONS = 4


@dataclass(frozen=True)
class Slope:
    """How a weighted sum of the outputs changes along a direction, measured both ways.

    `of` is what moves: "input" or the name of a parameter. `difference` is that of finite differences, `autograd` the
    product of gradient and direction, None where autograd has no gradient.
    """

    of: str
    training: bool
    difference: float
    autograd: float | None


@dataclass(frozen=True)
class Slopes:
    """All slopes of a layer, and how exact finite differences are in the precision it computes in.

    `noise` is the slope that rounding feigns; `exact_within` the part of the largest slope by which they may be off.
    """

    slopes: tuple[Slope, ...]
    noise: float
    exact_within: float

    def matter(self, slope: Slope) -> bool:
        """Return whether the outputs depend on what moved: far more than rounding explains."""
        return abs(slope.difference) > self.noise


@lru_cache(maxsize=1)  # three checks in a row ask for them
def measure_slopes(subject: Subject) -> Slopes:
    """Return the slopes along dense directions, single rows and single columns of the input, and of every parameter.

    In float64, and what the norm casts to fewer digits in float64 as well: no rounding then passes for a slope.
    """
    # Outputs rounded by 1e-16 feign slopes of 1e-10; those of norms are 1e-4 and more. Gradients of right norms are off
    # by at most 4e-8 of the slope; a statistic, or no more than the direction of one, taken for a constant by 6e-3.
    dtype, step, noise, exact_within = torch.float64, 1e-6, 1e-7, 1e-4
    if not _runs_in_float64(subject):
        # outputs rounded by 1e-7 feign slopes of 1e-4, and within so long a step a kink shows: 7e-3 of the slope
        dtype, step, noise, exact_within = torch.float32, 1e-3, 1e-3, 3e-2
    with widened(dtype):
        slopes = [
            slope for training in (True, False) for slope in _slopes(subject, training=training, dtype=dtype, step=step)
        ]
    return Slopes(tuple(slopes), noise, exact_within)


def _runs_in_float64(subject: Subject) -> bool:
    try:
        with widened(torch.float64):
            for training in (True, False):
                layer = subject.build(dtype=torch.float64).train(training)
                outputs = outputs_of(layer, subject.inputs(dtype=torch.float64))
                if outputs.dtype != torch.float64:
                    return False
    except Exception:  # raised by the norm, a stranger's code; that it does so is told by the check of precisions
        return False
    return True


def _slopes(subject: Subject, *, training: bool, dtype: torch.dtype, step: float) -> Iterator[Slope]:
    layer = subject.build(dtype=dtype)
    train(layer, subject)  # running statistics that are not those of the start
    layer.train(training)
    start = tensors_of(layer)
    inputs = subject.inputs(seed=11, dtype=dtype)
    leaf = inputs.clone().requires_grad_()
    outputs = outputs_of(layer, leaf)
    weights = cotangent(outputs)
    trained = {name: parameter for name, parameter in layer.named_parameters() if parameter.requires_grad}
    gradients: list[Tensor | None] = [None] * (1 + len(trained))
    if outputs.requires_grad:
        gradients = list(torch.autograd.grad(outputs, [leaf, *trained.values()], weights, allow_unused=True))

    def loss_at(name: str, moved: Tensor) -> float:
        restore(layer, start)
        with torch.no_grad():
            if name != "input":
                trained[name].copy_(moved)
            return float((outputs_of(layer, moved if name == "input" else inputs).double() * weights.double()).sum())

    for name, gradient in zip(["input", *trained], gradients, strict=True):
        place = inputs if name == "input" else start[name]
        for direction in _directions(place, dense_only=name != "input"):
            rise = loss_at(name, place + step * direction) - loss_at(name, place - step * direction)
            product = None if gradient is None else float((gradient * direction).sum())
            yield Slope(name, training, rise / (2 * step), product)
    restore(layer, start)


def _directions(like: Tensor, *, dense_only: bool) -> Iterator[Tensor]:
    stream = generator(0, "conformance", "directions")
    signs = (torch.randint(0, 2, (NUM_DENSE_DIRECTIONS, *like.shape), generator=stream) * 2 - 1).to(like.dtype)
    yield from signs
    if dense_only:
        return
    for dim in (0, 1):
        for number in range(like.shape[dim]):
            mask = (torch.arange(like.shape[dim]) == number).to(like.dtype)
            yield signs[0] * mask.unsqueeze(1 - dim)
