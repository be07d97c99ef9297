"""Holm's correction for several comparisons."""

import numpy as np

from bnbench.scoring.times import Floats

ALPHA = 0.05


def holm(p_values: Floats) -> Floats:
    """Return Holm's adjusted p, in the given order: max over the smaller ones of (m − position)·p, at most 1.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate((count - np.arange(count)) * p_values[order])
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def holm_multiplier(p_values: Floats, *, alpha: float = ALPHA) -> int:
    """Return by how much the smallest undecided p is multiplied: the comparisons less those already decided at `alpha`.

    >>> holm_multiplier(np.array([0.001, 0.2, 0.3]))
    2
    """
    return max(1, len(p_values) - int(np.sum(holm(p_values) <= alpha)))
