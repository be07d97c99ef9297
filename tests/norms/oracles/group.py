"""Group normalization."""

import numpy as np
from torch import nn

OPTIONS = [{"num_groups": groups, "eps": 1e-3, "affine": affine} for groups in (1, 3, 4) for affine in (True, False)]


def formula(x, parameters, state, options, training):
    groups = x.reshape(len(x), options["num_groups"], -1)
    normalized = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + options["eps"])
    return normalized.reshape(x.shape) * parameters.get("weight", 1) + parameters.get("bias", 0)


def torch_layer(layer, options):
    return nn.GroupNorm(options["num_groups"], 12, eps=options["eps"], affine=options["affine"])
