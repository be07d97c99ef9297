"""Weight normalization."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

OPTIONS = [{}]


def formula(x, parameters, state, options, training):
    direction = parameters["direction"]
    weight = parameters["length"][:, None] * direction / np.sqrt((direction**2).sum(1, keepdims=True))
    return x @ weight.T + parameters["bias"]


@torch.no_grad()
def torch_layer(layer, options):
    linear = weight_norm(nn.Linear(7, 12).double())
    linear.parametrizations.weight.original0.copy_(layer.length.unsqueeze(1))
    linear.parametrizations.weight.original1.copy_(layer.direction)
    linear.bias.copy_(layer.bias)
    return linear
