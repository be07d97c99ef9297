"""Batch norm makes gradients explode in deep networks at initialisation, at a rate that only the batch size decides."""

from collections.abc import Sequence
from math import acos, asin, pi, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting
from bnbench.claims.random_networks import Activation, gaussian_inputs, gaussian_weights, layers, seeds_at_once

BATCH_SIZES = (8, 16, 32, 128)
LINEAR_BATCH_SIZE = 8
# the batch size at which the networks with other norms are measured
OTHERS_BATCH_SIZE = 32
# layers at either end, where the activations and the gradients are not yet as they are deep inside
SKIPPED = 5


def relu_growth(batch_size: int) -> float:
    """Return λ(B), by which the squared norm of the gradient grows per layer of Linear, batch norm and ReLU.

    Wide layers: the normed values y of a unit are uniform on the sphere of radius √B among the vectors of sum 0, and
    the gradients of the units are independent of them, with a covariance proportional to P = I − 11ᵀ/B. One step back
    multiplies them by (√B / ‖P h‖) (P − yyᵀ/B) D, where h are the values before the norm and D = diag(1[y > 0]). Then

        λ = E tr((P − yyᵀ/B) D P D) / (T₂ (B − 3)) = (T₁/T₂ − 1) / (B − 3)

    T₁ = B/2 − 1 + E k²/B² for the number k of positive y, and T₂ = (1 − 1/B)(1/2 − K), the variance after the ReLU,
    K = E relu(yᵢ) relu(yⱼ). With ρ = −1/(B − 1), the correlation of yᵢ and yⱼ: E k² = B/2 + B(B − 1)(1/4 + asin ρ/2π)
    and K = (√(1 − ρ²) + ρ(π − acos ρ))/2π. 1/(B − 3) is E 1/χ² with B − 1 degrees of freedom. The limit is π/(π − 1).

    >>> round(relu_growth(8), 3), round(relu_growth(128), 3), round(pi / (pi - 1), 3)
    (1.788, 1.48, 1.467)
    """
    rho = -1 / (batch_size - 1)
    both_positive = 1 / 4 + asin(rho) / (2 * pi)
    squared_count = batch_size / 2 + batch_size * (batch_size - 1) * both_positive
    product = (sqrt(1 - rho * rho) + rho * (pi - acos(rho))) / (2 * pi)
    first = batch_size / 2 - 1 + squared_count / batch_size**2
    second = (1 - 1 / batch_size) * (1 / 2 - product)
    return (first / second - 1) / (batch_size - 3)


def linear_growth(batch_size: int) -> float:
    """Return (B − 2)/(B − 3), the growth per layer without an activation.

    >>> linear_growth(8)
    1.2
    """
    return (batch_size - 2) / (batch_size - 3)


def squared_gradients(
    seeds: Sequence[int], *, norm: str, weights: Sequence[Tensor], batch_size: int, activation: Activation
) -> NDArray[np.float64]:
    """Return ‖∂loss/∂(pre-activations)‖² of every layer: (seeds, depth); the loss is linear in the outputs."""
    width = weights[0].shape[1]
    inputs = gaussian_inputs(seeds, rows=batch_size, width=width).requires_grad_()
    passed = list(layers(inputs, norm={"name": norm}, weights=weights, activation=activation))
    towards = gaussian_inputs(seeds, rows=batch_size, width=width, name="gradient of the outputs")
    loss = (passed[-1].outputs * towards).sum()
    gradients = torch.autograd.grad(loss, [layer.pre_activations for layer in passed])
    return torch.stack([gradient.square().sum((1, 2)) for gradient in gradients], dim=1).numpy()


def growth_per_layer(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much a squared norm (seeds, depth) grows from a layer to the one before it: (seeds,).

    The slope of its logarithm by least squares, without the layers at either end.

    >>> growth_per_layer(np.array([2.0 ** -np.arange(20)]))
    array([2.])
    """
    inner = np.log(squared[:, SKIPPED:-SKIPPED])
    return np.exp(-np.polyfit(np.arange(inner.shape[1]), inner.T, 1)[0])


def measure(setting: Setting) -> Measured:
    """Return the growth over λ(B) for every batch size, and the growth with other norms."""
    width = setting.choose(miniature=96, quick=512, full=1024)
    depth = setting.choose(miniature=24, quick=40, full=60)
    squared: dict[str, list[NDArray[np.float64]]] = {}
    for seeds in seeds_at_once(setting.seeds, width=width, depth=depth):
        weights = list(gaussian_weights(seeds, width=width, depth=depth, activation="relu"))
        for name, norm, batch_size, activation in _networks():
            found = squared_gradients(seeds, norm=norm, weights=weights, batch_size=batch_size, activation=activation)
            squared.setdefault(name, []).append(found)
        setting.say(f"gradients of seeds {seeds[0]} to {seeds[-1]}, {depth} layers {width} wide")
    joined = {name: np.concatenate(found) for name, found in squared.items()}
    values = {name: growth_per_layer(found) / expected_growth(name) for name, found in joined.items()}
    # of the layers counted from the last one, relative to it
    return Measured(values, {name: (found / found[:, -1:])[:, ::-1].mean(0) for name, found in joined.items()})


def _networks() -> list[tuple[str, str, int, Activation]]:
    """Return name, norm, batch size and activation of everything measured; weights of a ReLU suit every norm of them.

    Batch norm takes the scale of the weights away, and with it the gain they were drawn with.
    """
    return [
        *((f"batch_of_{size}", "batch", size, "relu") for size in BATCH_SIZES),
        ("linear", "batch", LINEAR_BATCH_SIZE, "linear"),
        ("layer", "layer", OTHERS_BATCH_SIZE, "relu"),
        ("none", "none", OTHERS_BATCH_SIZE, "relu"),
    ]


def expected_growth(name: str) -> float:
    """Return the growth that theory gives for one of the networks; without batch norm it is 1."""
    if name == "linear":
        return linear_growth(LINEAR_BATCH_SIZE)
    return relu_growth(int(name.removeprefix("batch_of_"))) if name.startswith("batch_of_") else 1.0


def exploding_without_a_batch(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """Return the growth with other norms, and that of the norm instead of its square, over λ(B)."""
    others = {name: np.asarray(measured.values[name]) / relu_growth(OTHERS_BATCH_SIZE) for name in ("layer", "none")}
    first = f"batch_of_{BATCH_SIZES[0]}"
    roots = np.sqrt(np.asarray(measured.values[first]) / relu_growth(BATCH_SIZES[0]))
    return {**others, first: roots}


def figure(measured: Measured) -> Figure:
    """Return the squared norms against the layers from the last one back; dashed what theory gives."""
    shown = (f"batch_of_{BATCH_SIZES[0]}", f"batch_of_{BATCH_SIZES[-1]}", "linear", "layer", "none")
    curves = []
    for name in shown:
        squared = np.asarray(measured.series[name])
        back = np.arange(len(squared))
        # through the layer from which on the growth is fitted
        ends = [SKIPPED, len(squared) - SKIPPED]
        expected = [float(squared[SKIPPED] * expected_growth(name) ** (end - SKIPPED)) for end in ends]
        curves.append(Curve(SHORT[name], back.tolist(), squared.tolist()))
        if name not in ("layer", "none"):
            curves.append(Curve(f"{SHORT[name]}: theory", ends, expected, dashed=True))
    return Figure(
        title="Gradients at initialisation, from the last layer back",
        x="layers from the last one back",
        y="squared gradient norm (last layer: 1)",
        curves=tuple(curves),
        log_y=True,
    )


LABELS = {
    **{f"batch_of_{size}": f"batch norm, batch of {size}" for size in BATCH_SIZES},
    "linear": f"batch norm, batch of {LINEAR_BATCH_SIZE}, no activation",
    "layer": "layer norm",
    "none": "no norm",
}
SHORT = {
    **{f"batch_of_{size}": f"batch of {size}" for size in BATCH_SIZES},
    "linear": f"{LINEAR_BATCH_SIZE}, linear",
    "layer": "layer norm",
    "none": "no norm",
}
NEAR = Region(0.97, 1.03)


def _part(name: str) -> Part:
    expected = expected_growth(name)
    said = f"the growth per layer is {expected:.3f}" if expected > 1 else "the gradient neither grows nor shrinks"
    # the direction: it grows at all
    direction = Region(low=1.05 / expected) if expected > 1 else None
    return Part(
        name,
        statement=f"{LABELS[name]}: {said} (measured growth over this number, 3 % either way)",
        holds=NEAR,
        direction=direction,
        unit="×",
    )


CLAIM = Claim(
    claim_id="A3_bn_grad_explosion",
    statement=(
        "In deep networks of Linear, batch norm and ReLU at initialisation the squared norm of the gradient grows "
        "exponentially from layer to layer, at a rate that depends on the batch size alone and tends to π/(π − 1)"
    ),
    paper=Paper(
        authors="Yang, Pennington, Rao, Sohl-Dickstein and Schoenholz",
        year=2019,
        title="A Mean Field Theory of Batch Normalization",
        section="Theorems 3.9 and 3.10",
        where="arXiv:1902.08129",
    ),
    scope="exact",
    published=(
        "π/(π − 1) ≈ 1.467 per layer for ReLU and large batches, (B − 2)/(B − 3) without an activation (the paper's "
        "text); the formula for ReLU at a finite batch is derived again here"
    ),
    protocol=(
        "Gaussian inputs and weights, no biases, 40 layers of width 512; a loss linear in the outputs; squared norm of "
        "its gradient by the pre-activations of every layer; batches of 8 to 128; also without an activation, and with "
        "layer norm and no norm"
    ),
    statistic=(
        "growth per layer by least squares on the logarithm, without 5 layers at either end, over the growth theory "
        "gives: λ(B) with batch norm, 1 without"
    ),
    rule="the 95 % interval over seeds lies within 3 % of 1, for every batch size and every network",
    cost=Cost(quick=0.25, full=2.0),
    parts=tuple(_part(name) for name, *_ in _networks()),
    measure=measure,
    control=Control(
        statement=(
            "networks with layer norm and without a norm explode at λ(32), and with batch norm it is the norm, not its "
            "square, that grows by λ(8)"
        ),
        values=exploding_without_a_batch,
        parts=tuple(
            Part(name, statement=f"{LABELS[name]}: growth over λ", holds=NEAR, unit="×")
            for name in ("layer", "none", f"batch_of_{BATCH_SIZES[0]}")
        ),
    ),
    figure=figure,
    seeds={"miniature": 4, "quick": 12, "full": 24},
)
