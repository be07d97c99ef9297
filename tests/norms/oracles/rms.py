"""Root-mean-square normalization."""

import numpy as np
from torch import nn

OPTIONS = [{"eps": 1e-3, "affine": affine} for affine in (True, False)]


def formula(x, parameters, state, options, training):
    return x / np.sqrt((x**2).mean(1, keepdims=True) + options["eps"]) * parameters.get("weight", 1)


def torch_layer(layer, options):
    return nn.RMSNorm(12, eps=options["eps"], elementwise_affine=options["affine"])
