"""Whitening by Newton–Schulz, step by step as the paper has it."""

import numpy as np

OPTIONS = [
    {"num_groups": 1, "num_iterations": 1, "momentum": 0.0},
    {"num_groups": 2, "num_iterations": 7, "momentum": 0.3, "eps": 1e-3},
    {"num_groups": 12, "momentum": 1.0},
]


def formula(x, parameters, state, options, training):
    mean, whitening = state["running_mean"], state["running_whitening"]
    groups = options["num_groups"]
    if training:
        mean, share = x.mean(0), options["momentum"]
        whitening = np.stack([whitening_of(part, options) for part in np.split(x, groups, axis=1)])
        state["running_mean"] = (1 - share) * state["running_mean"] + share * mean
        state["running_whitening"] = (1 - share) * state["running_whitening"] + share * whitening
    parts = [part @ matrix.T for part, matrix in zip(np.split(x - mean, groups, axis=1), whitening, strict=True)]
    return np.concatenate(parts, axis=1) * parameters["weight"] + parameters["bias"]


def whitening_of(x, options):
    width = x.shape[1]
    covariance = np.cov(x, rowvar=False, ddof=0).reshape(width, width) + options["eps"] * np.eye(width)
    normalized = covariance / np.trace(covariance)
    matrix = np.eye(width)
    for _ in range(options["num_iterations"]):
        matrix = 0.5 * (3 * matrix - matrix @ matrix @ matrix @ normalized)
    return matrix / np.sqrt(np.trace(covariance))
