"""The mean of the validation metric over the whole of training, for each seed."""

import numpy as np

from bnbench.scoring.times import Floats


def with_losses_at_trivial(values: Floats, trivial: float | None) -> Floats:
    """Return the curves `values` (n, g) with what is not finite, as from a seed's death on, at the trivial value.

    >>> with_losses_at_trivial(np.array([[0.2, 0.6, np.nan]]), 0.1).tolist()
    [[0.2, 0.6, 0.1]]
    """
    return np.where(np.isfinite(values), values, np.nan if trivial is None else trivial)


def area_under_curve(steps: Floats, values: Floats, *, trivial: float | None) -> Floats:
    """Return per seed the trapezoid mean (1/T)·∫₀ᵀ metric d(step) of `values` (n, g) at `steps` (g,), steps[-1] = T.

    A value that is not finite counts as `trivial`, so that a diverged seed goes on as the trivial predictor; without a
    trivial value the area of such a seed is NaN.

    >>> area_under_curve(np.array([0., 10., 20.]), np.array([[0.2, 0.6, 1.0], [0.2, 0.6, np.nan]]), trivial=0.1)
    array([0.6  , 0.375])
    """
    filled = with_losses_at_trivial(values, trivial)
    with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest float the sum is none
        area: Floats = np.trapezoid(filled, steps, axis=1) / (steps[-1] - steps[0])
    return area
