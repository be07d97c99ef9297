"""Batch normalization by an lp deviation."""

import numpy as np
from scipy import stats
from scipy.special import erfinv

OPTIONS = [{"p": p} for p in (2, 1.5, 3.0, 7.5, None)] + [{"momentum": 0.4, "eps": 1e-3}]


def formula(x, parameters, state, options, training):
    mean, deviation = state["running_mean"], state["running_deviation"]
    if training:
        mean, deviation = x.mean(0), lp_deviation(x - x.mean(0), options["p"])
        share = options["momentum"]
        state["running_mean"] = (1 - share) * state["running_mean"] + share * mean
        state["running_deviation"] = (1 - share) * state["running_deviation"] + share * deviation
    return (x - mean) / np.sqrt(deviation**2 + options["eps"]) * parameters["weight"] + parameters["bias"]


def lp_deviation(centred, p):
    if p is None:
        return np.abs(centred).max(0) / (np.sqrt(2) * erfinv(2 ** (-1 / len(centred))))
    of_gaussian = stats.norm.expect(lambda z: np.abs(z) ** p, epsabs=1e-13, epsrel=1e-13) ** (1 / p)
    return (np.abs(centred) ** p).mean(0) ** (1 / p) / of_gaussian
