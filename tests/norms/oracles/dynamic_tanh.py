"""Dynamic tanh."""

import numpy as np

OPTIONS = [{"alpha": alpha} for alpha in (0.1, 2.0)]


def formula(x, parameters, state, options, training):
    return parameters["weight"] * np.tanh(parameters["alpha"] * x) + parameters["bias"]
