"""Spectral normalization."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

OPTIONS = [{"num_power_iterations": 3}]
# u and v, which move with the weights, are constants to the gradient
GRADCHECK = False


def formula(x, parameters, state, options, training):
    weight = parameters["weight"]
    for _ in range(options["num_power_iterations"] if training else 0):
        state["left"] = weight @ state["right"] / np.linalg.norm(weight @ state["right"])
        state["right"] = weight.T @ state["left"] / np.linalg.norm(weight.T @ state["left"])
    return x @ (weight / (state["left"] @ weight @ state["right"])).T + parameters["bias"]


@torch.no_grad()
def torch_layer(layer, options):
    linear = spectral_norm(nn.Linear(7, 12).double(), n_power_iterations=options["num_power_iterations"])
    linear.parametrizations.weight.original.copy_(layer.weight)
    linear.bias.copy_(layer.bias)
    linear.parametrizations.weight[0]._u.copy_(layer.left)
    linear.parametrizations.weight[0]._v.copy_(layer.right)
    return linear
