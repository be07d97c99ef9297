"""Weight standardization."""

import numpy as np

OPTIONS = [{}]


def formula(x, parameters, state, options, training):
    direction = parameters["direction"]
    standardised = (direction - direction.mean(1, keepdims=True)) / direction.std(1, keepdims=True)
    weight = parameters["gain"][:, None] * standardised / np.sqrt(direction.shape[1])
    return x @ weight.T + parameters["bias"]
