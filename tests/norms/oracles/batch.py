"""Batch normalization and its variants."""

import numpy as np
from torch import nn

ONLY_OURS = [
    {"subtract_mean": False},
    {"subtract_mean": False, "affine": False, "momentum": None},
    {"divide_by_deviation": False},
    {"divide_by_deviation": False, "affine": False, "running_statistics": False},
    {"subtract_mean": False, "running_statistics": False},
    {"unbiased_running_variance": False, "momentum": 0.01, "eps": 1e-3},
]
OPTIONS = [
    *({"eps": 1e-3, "momentum": momentum} for momentum in (0.0, 0.3, 1.0)),
    {"affine": False},
    {"momentum": None},
    {"running_statistics": False},
    {"running_statistics": False, "affine": False},
    *ONLY_OURS,
]


def formula(x, parameters, state, options, training):
    mean = x.mean(0) if options["subtract_mean"] else np.zeros(x.shape[1])
    variance = ((x - mean) ** 2).mean(0)
    if options["running_statistics"]:
        if training:
            remember(x, mean, variance, state, options)
        else:
            mean, variance = state.get("running_mean", 0.0), state.get("running_variance")
    y = x - mean
    if options["divide_by_deviation"]:
        y = y / np.sqrt(variance + options["eps"])
    return y * parameters.get("weight", 1.0) + parameters.get("bias", 0.0)


def remember(x, mean, variance, state, options):
    share = options["momentum"]
    if share is None:
        state["steps"] = state["steps"] + 1
        share = 1 / state["steps"]
    if options["unbiased_running_variance"] and options["subtract_mean"]:
        variance = variance * len(x) / (len(x) - 1)
    for key, statistic in (("running_mean", mean), ("running_variance", variance)):
        if key in state:
            state[key] = (1 - share) * state[key] + share * statistic


def torch_layer(layer, options):
    return nn.BatchNorm1d(
        12,
        eps=options["eps"],
        momentum=options["momentum"],
        affine=options["affine"],
        track_running_stats=options["running_statistics"],
    )
