"""A scale and a shift."""

OPTIONS = [{}]


def formula(x, parameters, state, options, training):
    return parameters["weight"] * x + parameters["bias"]
