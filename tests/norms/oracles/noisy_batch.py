"""Batch normalization with noise, the counter-based hash written anew in NumPy's unsigned integers."""

import numpy as np
from scipy.special import erfinv

OPTIONS = [
    {"largest_shift": 0.0, "largest_scale": 1.0, "scale_deviation": 0.3},
    {"largest_shift": 2.0, "largest_scale": 3.0, "shift_spread": 0.0, "scale_deviation": 0.0, "momentum": 0.5},
]


def formula(x, parameters, state, options, training):
    mean, variance = state["batch.running_mean"], state["batch.running_variance"]
    if training:
        mean, variance = x.mean(0), x.var(0)
        share = options["momentum"]
        state["batch.running_mean"] = (1 - share) * state["batch.running_mean"] + share * mean
        state["batch.running_variance"] = (1 - share) * state["batch.running_variance"] + share * x.var(0, ddof=1)
    normed = (x - mean) / np.sqrt(variance + options["eps"]) * parameters["batch.weight"] + parameters["batch.bias"]
    if not training:
        return normed
    mu = options["largest_shift"] * (2 * uniform(state, x.shape[1:]) - 1)
    sigma = 1 + (options["largest_scale"] - 1) * uniform(state, x.shape[1:])
    m = mu + options["shift_spread"] * (2 * uniform(state, x.shape) - 1)
    s = sigma + options["scale_deviation"] * normal(state, x.shape)
    return s * normed + m


def uniform(state, shape):
    return (integers(state, shape) >> np.uint32(8)) / 2.0**24


def normal(state, shape):
    return np.sqrt(2) * erfinv(((integers(state, shape) >> np.uint32(9)) + 0.5) / 2.0**22 - 1)


def integers(state, shape):
    state["random.step"] = state["random.step"] + 1
    key, step = (state[f"random.{name}"].astype(np.int64).reshape(1).astype(np.uint32) for name in ("key", "step"))
    base = mix(key ^ mix(step * np.uint32(668265263)))
    return mix(np.arange(np.prod(shape), dtype=np.uint32).reshape(shape) * np.uint32(0x9E3779B1) + base)


def mix(value):
    value = (value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D)
    value = (value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B)
    return value ^ (value >> np.uint32(16))
