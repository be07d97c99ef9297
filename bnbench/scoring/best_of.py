"""How much trying several learning rates is worth: the expected best of k of them."""

from collections.abc import Sequence
from math import comb


def expected_best_of(values: Sequence[float]) -> list[float]:
    """Return for k = 1 … K the expected value of the best of k of K, drawn at random without replacement.

    `values` stand in the order of choice: of the k drawn the one that stands first is taken. The i-th (from 0) is taken
    in C(K−1−i, k−1) of the C(K, k) subsets of k, so that E_k = Σᵢ C(K−1−i, k−1)·valueᵢ ÷ C(K, k): exact, no sampling
    (cf. Dodge et al., arXiv:1909.03004).

    >>> expected_best_of([10., 20., 60.])  # the best of all three is always the first
    [30.0, 13.333333333333334, 10.0]
    """
    count = len(values)
    return [
        sum(comb(count - 1 - index, drawn - 1) * value for index, value in enumerate(values)) / comb(count, drawn)
        for drawn in range(1, count + 1)
    ]
