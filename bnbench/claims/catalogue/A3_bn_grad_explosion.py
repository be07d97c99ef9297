"""Batch norm makes gradients explode in deep networks at initialisation, at a rate that only the batch size decides."""

from collections.abc import Sequence
from math import acos, asin, exp, pi, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting
from bnbench.claims.random_networks import Activation, gaussian_inputs, gaussian_weights, layers

BATCH_SIZES = (8, 16, 32, 128)
LINEAR_BATCH_SIZE = 8
# the batch size at which the networks with other norms are measured
OTHERS_BATCH_SIZE = 32
# layers at either end, where the activations and the gradients are not yet as they are deep inside
SKIPPED = 5
# seeds whose weights are held in memory together
TOGETHER = 4


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
    for start in range(0, len(setting.seeds), TOGETHER):
        seeds = setting.seeds[start : start + TOGETHER]
        weights = list(gaussian_weights(seeds, width=width, depth=depth, activation="relu"))
        for name, norm, batch_size, activation in _networks():
            found = squared_gradients(seeds, norm=norm, weights=weights, batch_size=batch_size, activation=activation)
            squared.setdefault(name, []).append(found)
        setting.say(f"gradients of {start + len(seeds)} of {len(setting.seeds)} seeds, {depth} layers {width} wide")
    joined = {name: np.concatenate(found) for name, found in squared.items()}
    values = {name: growth_per_layer(found) / expected_growth(name) for name, found in joined.items()}
    return Measured(values, {name: np.log10(found).mean(0) for name, found in joined.items()})


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
