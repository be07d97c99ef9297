"""Time to target: the first evaluation, in steps, at which a seed's metric meets the target; censored at the budget."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Times:
    """One entry's times to target: `steps` (n,) is min(t, T), `reached` (n,) tells a hit at T from a miss.

    `cadence` is the number of steps between evaluations, 0 where it is not known.
    """

    steps: Floats
    reached: Bools
    budget: float
    cadence: float = 0.0

    def __len__(self) -> int:
        return len(self.steps)

    def take(self, index: NDArray[np.intp]) -> "Times":
        """Return the times of the seeds at `index`, in that order."""
        return Times(self.steps[index], self.reached[index], self.budget, self.cadence)

    @property
    def rounding_spread(self) -> float:
        """Return the standard deviation of a crossing anywhere between two evaluations, cadence/√12."""
        return self.cadence / sqrt(12)

    @property
    def any_missed(self) -> bool:
        return not bool(np.all(self.reached))

    @property
    def all_missed(self) -> bool:
        return not bool(np.any(self.reached))


def time_to_target(
    steps: Floats,
    values: Floats,
    *,
    target: float,
    direction: str,
    budget: float,
    consecutive: int = 1,
    diverged_at_step: Floats | None = None,
) -> Times:
    """Return min(t, T) per seed, t = the first of the first `consecutive` evaluations in a row that all meet `target`.

    `steps` (g,) are the evaluations, `values` (n, g) the metric of n seeds, NaN where a seed has no row; `direction` is
    "max" or "min". A value that is not finite never meets a target. Nothing counts from `diverged_at_step` (n,) on (NaN
    or inf: never diverged), so a seed that dies before its hit is a miss, and one that dies after it stays a hit.
    Raises ValueError for an unknown direction or `consecutive` < 1.

    >>> times = time_to_target(np.array([0, 10, 20, 30]), np.array([[.1, .5, .9, .8], [.1, .2, .3, np.nan]]),
    ...                        target=0.9, direction="max", budget=30)
    >>> times.steps.tolist(), times.reached.tolist()
    ([20.0, 30.0], [True, False])
    """
    if direction not in ("max", "min"):
        raise ValueError(f"direction is {direction!r}, expected 'max' or 'min'")
    if consecutive < 1:
        raise ValueError(f"consecutive is {consecutive}, expected at least 1")
    meets: Bools = np.isfinite(values) & ((values >= target) if direction == "max" else (values <= target))
    if diverged_at_step is not None:
        last_alive = np.where(np.isnan(diverged_at_step), np.inf, diverged_at_step)
        meets = meets & (steps[None, :] < last_alive[:, None])
    if consecutive > 1:
        padded = np.pad(meets, ((0, 0), (0, consecutive - 1)))  # a run the budget cuts short is not confirmed
        meets = np.logical_and.reduce(sliding_window_view(padded, consecutive, axis=1), axis=2)
    reached: Bools = np.logical_or.reduce(meets, axis=1)
    evaluations = np.asarray(steps, dtype=float)
    first = evaluations[meets.argmax(axis=1)]
    cadence = float(np.max(np.diff(evaluations), initial=0.0))
    return Times(np.where(reached, np.minimum(first, budget), float(budget)), reached, float(budget), cadence)
