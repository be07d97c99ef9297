"""Switchable normalization of batch and layer statistics."""

import numpy as np

OPTIONS = [{"eps": 1e-3, "momentum": momentum} for momentum in (0.0, 0.3, 1.0)]


def formula(x, parameters, state, options, training):
    mean, variance = state["running_mean"], state["running_variance"]
    if training:
        mean, variance = x.mean(0), x.var(0)
        share = options["momentum"]
        state["running_mean"] = (1 - share) * state["running_mean"] + share * mean
        state["running_variance"] = (1 - share) * state["running_variance"] + share * x.var(0, ddof=1)
    means, variances = softmax(parameters["mean_weights"]), softmax(parameters["variance_weights"])
    mixed_mean = means[0] * mean + means[1] * x.mean(1, keepdims=True)
    mixed_variance = variances[0] * variance + variances[1] * x.var(1, keepdims=True)
    return (x - mixed_mean) / np.sqrt(mixed_variance + options["eps"]) * parameters["weight"] + parameters["bias"]


def softmax(values):
    return np.exp(values) / np.exp(values).sum()
