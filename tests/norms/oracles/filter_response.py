"""Filter response normalization."""

import numpy as np

OPTIONS = [{"threshold": False}, {"eps": 0.1, "learned_eps": 2.0}]


def formula(x, parameters, state, options, training):
    response = x / np.sqrt(x**2 + np.abs(parameters["learned_eps"]) + options["eps"])
    outputs = parameters["weight"] * response + parameters["bias"]
    return np.maximum(outputs, parameters["threshold"]) if options["threshold"] else outputs
