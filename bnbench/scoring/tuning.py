"""The learning rate of an entry, chosen on seeds that are not scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np

from bnbench.scoring.times import Floats, Times


@dataclass(frozen=True)
class Trial:
    """One learning rate on the tuning seeds: `times` to target (None without a target), `finals` (n,), diverged."""

    rate: float
    times: Times | None
    finals: Floats
    diverged: int


@dataclass(frozen=True)
class Choice:
    """The learning rate that was chosen; `edge` where no smaller or no larger one was tried."""

    rate: float
    edge: Literal["smallest", "largest"] | None
    num_seeds: int


def ordered(trials: Sequence[Trial], *, direction: str) -> list[Trial]:
    """Return the trials, the one to choose first: by diverged seeds, then speed, then final metric, then rate.

    Fast is a small mean of min(t, T), good at the end a good mean final metric (a diverged seed counts as the trivial
    predictor); the smaller rate where all is equal.
    """
    sign = -1.0 if direction == "max" else 1.0

    def rank(trial: Trial) -> tuple[float, ...]:
        steps = 0.0 if trial.times is None else float(np.mean(trial.times.steps))
        final = float(np.mean(trial.finals))
        return trial.diverged, steps, sign * final if np.isfinite(final) else inf, trial.rate

    return sorted(trials, key=rank)


def choose_rate(trials: Sequence[Trial], *, direction: str) -> Choice:
    """Return the learning rate with the fewest diverged seeds, of these the fastest, of these the best at the end.

    The same rule for every entry and the same rates for all, so none is tuned better than another. Raises ValueError
    without a trial.

    >>> both, finals = np.array([True, True]), np.array([0.9, 0.9])
    >>> slow = Trial(0.01, Times(np.array([40.0, 60.0]), both, 90), finals, 0)
    >>> fast = Trial(0.1, Times(np.array([20.0, 40.0]), both, 90), finals, 0)
    >>> choose_rate([slow, fast], direction="max")
    Choice(rate=0.1, edge='largest', num_seeds=2)
    """
    if not trials:
        raise ValueError("there is no trial to choose from")
    chosen = ordered(trials, direction=direction)[0]
    rates = [trial.rate for trial in trials]
    edge: Literal["smallest", "largest"] | None = None
    if len(rates) > 1 and chosen.rate in (min(rates), max(rates)):
        edge = "largest" if chosen.rate == max(rates) else "smallest"
    return Choice(chosen.rate, edge, len(chosen.finals))
