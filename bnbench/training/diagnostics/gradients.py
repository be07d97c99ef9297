"""How large the gradients are, layer by layer, and whether they grow or fade with depth."""

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.training.diagnostics.diagnostic import WHOLE_NETWORK, Measurement, diagnostic
from bnbench.training.diagnostics.moment import Moment


@diagnostic("gradients")
def gradients(moment: Moment) -> list[Measurement]:
    """Measure the gradients of the loss L of the minibatch, in training mode, of every layer.

    gradient_norm = ‖∂L/∂W‖ over the weights W of a layer, "output" included. For hidden layers l = 0, 1, … of the MLP
    also pre_activation_gradient_norm = ‖∂L/∂h‖ over rows and units, where h is what the Linear makes; and, of two
    layers or more, gradient_norm_slope = the slope b of the least squares line log ‖∂L/∂h_l‖² = a + b l. A gradient
    that grows by the factor λ in the square, from each layer to the one before it, has b = −log λ.
    Units: those of the loss, per unit of the weight or of h; the slope has none.
    Source: Yang et al. 2019 (arXiv:1902.08129) for the growth; the slope is a fit over all layers.
    """
    layers = moment.network.layers
    found = moment.gradients(moment.minibatch, places=[layer.product for layer in layers])
    measured = [
        Measurement("gradient_norm", layer, joint_square([found.weights[name] for name in names]).sqrt())
        for layer, names in moment.network.weights.items()
    ]
    squares = [joint_square([found.places[layer.product]]) for layer in layers]
    measured += [
        Measurement("pre_activation_gradient_norm", layer.name, square.sqrt())
        for layer, square in zip(layers, squares, strict=True)
    ]
    if len(layers) > 1:
        measured.append(Measurement("gradient_norm_slope", WHOLE_NETWORK, slope(torch.stack(squares, dim=1).log())))
    return measured


def joint_square(tensors: list[Tensor]) -> Float[Tensor, " replicas"]:
    """Return the sum of all squares of each replica, in float64."""
    return torch.stack([tensor.flatten(1).double().square().sum(1) for tensor in tensors]).sum(0)


def slope(values: Float[Tensor, "replicas layers"]) -> Float[Tensor, " replicas"]:
    """Return the slope of the least squares line through the values at 0, 1, …"""
    place = torch.arange(values.shape[1], dtype=values.dtype, device=values.device)
    centred = place - place.mean()
    return (values * centred).sum(1) / centred.square().sum()
