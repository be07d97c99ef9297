"""Scale normalization."""

import numpy as np

# the rows of the suite are between 6 and 30 long: some, none and all of them shorter than ε
OPTIONS = [{"eps": eps} for eps in (1e-9, 15.0, 1e3)]


def formula(x, parameters, state, options, training):
    length = np.sqrt((x**2).sum(1, keepdims=True))
    return parameters["gain"] * x / np.maximum(length, options["eps"])
