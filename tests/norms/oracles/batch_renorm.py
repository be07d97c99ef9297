"""Batch renormalization. Options with a warm-up and a ramp that end within the three steps of the tests."""

import numpy as np

OPTIONS = [
    {"warmup_steps": 0, "ramp_steps": 0},
    {"warmup_steps": 1, "ramp_steps": 0, "momentum": 0.7, "eps": 1e-3},
    {"warmup_steps": 1, "ramp_steps": 4, "max_scale": 1.5, "max_shift": 0.25},
    {"warmup_steps": 0, "ramp_steps": 2, "max_scale": 1, "max_shift": 0.5},
    {"max_scale": 1, "max_shift": 0},
]
# r and d are constants in the gradient but not in finite differences; test_batch_renorm.py checks the gradient
GRADCHECK = False


def formula(x, parameters, state, options, training):
    gain, bias = parameters["weight"], parameters["bias"]
    if not training:
        return (x - state["running_mean"]) / state["running_deviation"] * gain + bias
    state["steps"] = state["steps"] + 1
    mean, deviation = x.mean(0), np.sqrt(x.var(0) + options["eps"])
    done = min(max(state["steps"] - options["warmup_steps"], 0), options["ramp_steps"]) if options["ramp_steps"] else 0
    share = done / options["ramp_steps"] if options["ramp_steps"] else float(state["steps"] > options["warmup_steps"])
    widest_r, widest_d = 1 + share * (options["max_scale"] - 1), share * options["max_shift"]
    r = np.clip(deviation / state["running_deviation"], 1 / widest_r, widest_r)
    d = np.clip((mean - state["running_mean"]) / state["running_deviation"], -widest_d, widest_d)
    for key, statistic in (("running_mean", mean), ("running_deviation", deviation)):
        state[key] = state[key] + options["momentum"] * (statistic - state[key])
    return ((x - mean) / deviation * r + d) * gain + bias
