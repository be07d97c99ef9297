"""The target ladder: which metric values count as converged, from the gap the reference closes."""

import math

from bnbench.errors import UserError

# the share of the gap between the trivial predictor and the best of the reference
RUNGS = {"easy": 0.50, "medium": 0.80, "hard": 0.95}


def target_ladder(*, trivial: float, best: float, direction: str, provenance: str) -> dict[str, float | str]:
    """Return easy, medium and hard: trivial + 50, 80 and 95 % of the way to `best`, and where they come from.

    Rounded to 4 significant digits of the gap between trivial and best, so that the unit of the metric is no matter.
    Raises UserError when the reference learned nothing, its best being no better than the trivial predictor.

    >>> target_ladder(trivial=0.1, best=0.9, direction="max", provenance="auto")
    {'easy': 0.5, 'medium': 0.74, 'hard': 0.86, 'provenance': 'auto'}
    """
    if not (best > trivial if direction == "max" else best < trivial):
        raise UserError(
            f"no target can be set: the best of the reference, {best:.4g}, is no better than the {trivial:.4g} of the "
            "trivial predictor; change the learning rate or train longer"
        )
    gap = best - trivial
    decimals = 3 - math.floor(math.log10(abs(gap)))
    return {level: round(trivial + share * gap, decimals) for level, share in RUNGS.items()} | {
        "provenance": provenance
    }
