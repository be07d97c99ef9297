"""The final metric of entries against that of the reference: better, worse, no different, or not decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnbench.scoring.holm import ALPHA, holm, holm_multiplier
from bnbench.scoring.intervals import mean_interval
from bnbench.scoring.seeds_needed import more_seeds
from bnbench.scoring.sign_flip import board_sign_flip_p
from bnbench.scoring.times import Floats

MARGIN_SHARE = 0.02
"""Of the way from the trivial predictor to the reference: a difference that nobody would choose a norm by."""


@dataclass(frozen=True)
class SeedFinals:
    """The final metric of one entry's seeds, both (n,), seeds ascending, lost seeds at the trivial value."""

    seeds: NDArray[np.int64]
    values: Floats


@dataclass(frozen=True)
class FinalDifference:
    """Entry − reference over their common seeds: mean with its 95 % interval, in the units of the metric."""

    mean: float
    low: float | None
    high: float | None
    num_pairs: int
    p_holm: float
    margin: float
    direction: str
    more_seeds: int | None
    alpha: float = ALPHA

    @property
    def verdict(self) -> Literal["better", "worse", "no different", "not decided"]:
        """Return what the corrected test says; "no different" only where the whole interval is within the margin.

        A difference may be real and too small to matter: then it is no different as well.
        """
        if self.low is not None and self.high is not None and max(-self.low, self.high) <= self.margin:
            return "no different"
        if self.p_holm > self.alpha:
            return "not decided"
        return "better" if (self.mean > 0) == (self.direction == "max") else "worse"


def compare_finals(
    reference: SeedFinals,
    others: Sequence[SeedFinals],
    *,
    direction: str,
    trivial: float | None,
    alpha: float = ALPHA,
) -> list[FinalDifference | None]:
    """Return each entry's paired difference from the reference, sign-flip tests Holm-corrected over all of them.

    None where they share no seed, or where a seed was lost and no trivial value is known for it. The margin is 2 % of
    the way from `trivial` to the mean of the reference, 0 where the trivial value is not known: then nothing is called
    no different.

    >>> seeds, base = np.arange(8), np.array([10., 11., 9., 10., 12., 10., 9., 11.])
    >>> [found] = compare_finals(SeedFinals(seeds, base), [SeedFinals(seeds, base - 3)], direction="min", trivial=50.0)
    >>> found.mean, found.p_holm, found.verdict
    (-3.0, 0.0078125, 'better')
    """
    margin = 0.0 if trivial is None else MARGIN_SHARE * abs(float(np.mean(reference.values)) - trivial)
    differences = [_differences(reference, other) for other in others]
    tested = [index for index, values in enumerate(differences) if len(values)]
    p_values = np.array([board_sign_flip_p(differences[index]) for index in tested])
    adjusted = holm(p_values)
    still_open = holm_multiplier(p_values, alpha=alpha)
    found: list[FinalDifference | None] = [None] * len(others)
    for position, index in enumerate(tested):
        values = differences[index]
        interval = mean_interval(values)
        found[index] = FinalDifference(
            mean=float(np.mean(values)),
            low=interval.low,
            high=interval.high,
            num_pairs=len(values),
            p_holm=float(adjusted[position]),
            margin=margin,
            direction=direction,
            more_seeds=more_seeds(values, alpha=alpha, comparisons=still_open),
            alpha=alpha,
        )
    return found


def _differences(reference: SeedFinals, other: SeedFinals) -> Floats:
    _, of_reference, of_other = np.intersect1d(reference.seeds, other.seeds, assume_unique=True, return_indices=True)
    differences = other.values[of_other] - reference.values[of_reference]
    # what a lost seed counts as is not known: without it the difference would be that of the lucky ones
    return differences if np.isfinite(differences).all() else differences[:0]
