"""Ghost batch normalization; the batches of the tests have 9 rows."""

import numpy as np

OPTIONS = [{"ghost_rows": rows} for rows in (2, 3, 4, 5, 9)] + [{"ghost_rows": 4, "momentum": 0.6, "eps": 1e-3}]


def formula(x, parameters, state, options, training):
    if not training:
        normed = (x - state["running_mean"]) / np.sqrt(state["running_variance"] + options["eps"])
        return normed * parameters["weight"] + parameters["bias"]
    parts = np.array_split(x, max(1, len(x) // options["ghost_rows"]))
    share, weights = options["momentum"], [len(part) / len(x) for part in parts]
    mean = sum(weight * part.mean(0) for weight, part in zip(weights, parts, strict=True))
    variance = sum(weight * part.var(0, ddof=1) for weight, part in zip(weights, parts, strict=True))
    state["running_mean"] = (1 - share) * state["running_mean"] + share * mean
    state["running_variance"] = (1 - share) * state["running_variance"] + share * variance
    normed = [(part - part.mean(0)) / np.sqrt(part.var(0) + options["eps"]) for part in parts]
    return np.concatenate(normed) * parameters["weight"] + parameters["bias"]
