"""Batch normalization."""

import numpy as np
from torch import nn

OPTIONS = [{"eps": 1e-3, "momentum": momentum} for momentum in (0.0, 0.3, 1.0)]


def formula(x, parameters, state, options, training):
    mean, variance = state["running_mean"], state["running_variance"]
    if training:
        mean, variance = x.mean(0), x.var(0)
        share = options["momentum"]
        state["running_mean"] = (1 - share) * state["running_mean"] + share * mean
        state["running_variance"] = (1 - share) * state["running_variance"] + share * x.var(0, ddof=1)
    return (x - mean) / np.sqrt(variance + options["eps"]) * parameters["weight"] + parameters["bias"]


def torch_layer(layer, options):
    return nn.BatchNorm1d(12, eps=options["eps"], momentum=options["momentum"])
