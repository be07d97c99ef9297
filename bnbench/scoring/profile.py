"""Performance profiles: on how many workloads an entry is within a factor of the best one."""

from collections.abc import Sequence
from math import inf

LARGEST_RATIO = 4.0
"""r_max: whoever needs more than four times the steps of the best counts as far behind as one that never hits."""


def ratios_to_best(means: Sequence[float | None]) -> list[float]:
    """Return mean ÷ smallest mean of the entries of one workload; infinity where an entry never hits (None).

    >>> ratios_to_best([20., 10., None])
    [2.0, 1.0, inf]
    """
    known = [mean for mean in means if mean is not None]
    best = min(known, default=inf)
    return [inf if mean is None else 1.0 if mean == best else mean / best if best > 0 else inf for mean in means]


def profile_of(ratios: Sequence[float], *, largest: float = LARGEST_RATIO) -> tuple[tuple[float, float], ...]:
    """Return the corners (r, share of workloads whose ratio is at most r) of the step function from 1 to `largest`.

    >>> profile_of([1.0, 2.0, float("inf")])
    ((1.0, 0.3333333333333333), (2.0, 0.6666666666666666), (4.0, 0.6666666666666666))
    """
    corners = sorted({1.0, largest, *(ratio for ratio in ratios if ratio <= largest)})
    return tuple((corner, sum(ratio <= corner for ratio in ratios) / len(ratios)) for corner in corners)


def profile_area(ratios: Sequence[float], *, largest: float = LARGEST_RATIO) -> float:
    """Return the area under the profile, ∫₁^{r_max} ρ(r) dr ÷ (r_max − 1), as the mean of max(0, 1 − (r−1)/(r_max−1)).

    1 is best everywhere, 0 is never within `largest` (closed form of the score of AlgoPerf, arXiv:2306.07179).

    >>> round(profile_area([1.0, 2.0, float("inf")]), 6)
    0.555556
    """
    return sum(max(0.0, 1 - (ratio - 1) / (largest - 1)) for ratio in ratios) / len(ratios)
