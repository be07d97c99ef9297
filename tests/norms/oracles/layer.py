"""Layer normalization."""

import numpy as np
from torch import nn

OPTIONS = [{"eps": 1e-3, "affine": affine} for affine in (True, False)]


def formula(x, parameters, state, options, training):
    normalized = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + options["eps"])
    return normalized * parameters.get("weight", 1) + parameters.get("bias", 0)


def torch_layer(layer, options):
    return nn.LayerNorm(12, eps=options["eps"], elementwise_affine=options["affine"])
