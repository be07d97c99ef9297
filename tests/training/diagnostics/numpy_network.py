"""The MLP once more, in NumPy and float64, forwards and backwards: written from the formulas, not from the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ACTIVATIONS = {
    "relu": (lambda x: np.maximum(x, 0.0), lambda x: (x > 0).astype(np.float64)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
}
EPS = 1e-5


@dataclass
class Pass:
    """What one run of a network of one seed leaves: by hidden layer, and the gradients of the cross-entropy."""

    products: list[Array] = field(default_factory=list)
    activation_inputs: list[Array] = field(default_factory=list)
    activation_outputs: list[Array] = field(default_factory=list)
    by_products: list[Array] = field(default_factory=list)
    by_weights: dict[str, Array] = field(default_factory=dict)


def run(
    weights: Mapping[str, Array], inputs: Array, labels: Array, *, activation: str, batch_norm: bool, training: bool
) -> Pass:
    """Run and differentiate; in evaluation batch norm has the running statistics it begins with, mean 0, variance 1."""
    function, slope = ACTIVATIONS[activation]
    depth = sum(name.endswith("linear.weight") for name in weights)
    found = Pass(by_products=[np.empty(0)] * depth)
    hidden, given, centred = inputs, [], []
    for layer in range(depth):
        given.append(hidden)
        product = hidden @ weights[f"hidden.{layer}.linear.weight"].T + weights[f"hidden.{layer}.linear.bias"]
        normal = product
        if batch_norm:
            mean, variance = (product.mean(0), product.var(0)) if training else (0.0, 1.0)
            normal = (product - mean) / np.sqrt(variance + EPS)
        centred.append(normal)
        scaled = normal
        if batch_norm:
            scaled = normal * weights[f"hidden.{layer}.norm.weight"] + weights[f"hidden.{layer}.norm.bias"]
        hidden = function(scaled)
        found.products.append(product)
        found.activation_inputs.append(scaled)
        found.activation_outputs.append(hidden)
    scores = hidden @ weights["output.weight"].T + weights["output.bias"]
    likely = np.exp(scores - scores.max(1, keepdims=True))
    likely /= likely.sum(1, keepdims=True)
    by_scores = (likely - np.eye(scores.shape[1])[labels]) / len(inputs)
    found.by_weights["output"] = by_scores.T @ hidden
    gradient = by_scores @ weights["output.weight"]
    for layer in reversed(range(depth)):
        gradient = gradient * slope(found.activation_inputs[layer])
        if batch_norm:
            gradient = gradient * weights[f"hidden.{layer}.norm.weight"]
            deviation = np.sqrt(found.products[layer].var(0) + EPS)
            along = (gradient * centred[layer]).mean(0) * centred[layer]
            gradient = (gradient - gradient.mean(0) - along) / deviation
        found.by_products[layer] = gradient
        found.by_weights[f"hidden.{layer}"] = gradient.T @ given[layer]
        gradient = gradient @ weights[f"hidden.{layer}.linear.weight"]
    return found
