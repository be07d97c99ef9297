"""Weight normalization followed by mean-only batch normalization."""

import numpy as np

OPTIONS = [{"momentum": momentum} for momentum in (0.0, 0.3, 1.0, None)]


def formula(x, parameters, state, options, training):
    direction = parameters["product.direction"]
    length = parameters["product.length"]
    products = x @ (direction * (length / np.sqrt((direction**2).sum(1)))[:, None]).T
    mean = products.mean(0) if training else state["centre.running_mean"]
    if training:
        share = options["momentum"]
        if share is None:
            state["centre.steps"] = state["centre.steps"] + 1
            share = 1 / state["centre.steps"]
        state["centre.running_mean"] = (1 - share) * state["centre.running_mean"] + share * mean
    return products - mean + parameters["bias"]
