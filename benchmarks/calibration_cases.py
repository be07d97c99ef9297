"""Seeds drawn from laws whose restricted means are known exactly: what intervals and tests are held against."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import exp, pi, sin, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import expit, logit, ndtr, ndtri

from bnbench.scoring import Times

Floats = NDArray[np.float64]
Tail = Literal["log-normal", "log-logistic"]
Pair = tuple[Times, Times]
REFERENCE_MEAN = 400.0
UNCENSORED_BUDGET = 100 * REFERENCE_MEAN


@dataclass(frozen=True)
class Case:
    """Two entries over paired seeds.

    `censored` is the share of the reference's seeds that miss (the budget is that quantile, rounded to the cadence),
    `cadence` the steps between evaluations, `spreads` the standard deviations of log t of reference and entry,
    `correlation` that of the normal scores of a pair, `ratio` the true ratio of restricted means.
    """

    num_seeds: int
    censored: float = 0.0
    cadence: float = 10.0
    spreads: tuple[float, float] = (0.4, 0.4)
    correlation: float = 0.0
    tail: Tail = "log-normal"
    ratio: float = 2.0

    @cached_property
    def laws(self) -> "tuple[Law, Law]":
        """Return the distributions of t under reference and entry, whose scale makes the ratio what it should be."""
        reference, unit = (law(self.tail, spread) for spread in self.spreads)
        if self.ratio == 1 and self.spreads[0] == self.spreads[1]:
            return reference, reference
        wanted = self.means_of(reference) / self.ratio
        factor = optimize.brentq(
            lambda factor: self.means_of(replace(unit, scale=unit.scale * factor)) - wanted, 0.02, 20, xtol=1e-9
        )
        return reference, replace(unit, scale=unit.scale * float(factor))

    @cached_property
    def budget(self) -> float:
        """Return T, a whole number of evaluations."""
        if not self.censored:
            return UNCENSORED_BUDGET
        quantile = float(law(self.tail, self.spreads[0]).ppf(1 - self.censored))
        return max(1.0, round(quantile / self.cadence)) * self.cadence

    def means_of(self, distribution: "Law") -> float:
        """Return E min(t, T) for t on the cadence: the area under its survival function, one bar per evaluation."""
        before = np.arange(0, self.budget, self.cadence)
        return float(self.cadence * np.sum(distribution.sf(before)))

    @cached_property
    def means(self) -> tuple[float, float]:
        """Return the true restricted means of reference and entry."""
        return self.means_of(self.laws[0]), self.means_of(self.laws[1])

    @cached_property
    def hit_rates(self) -> tuple[float, float]:
        """Return the true shares of seeds that hit by the budget."""
        return 1 - float(self.laws[0].sf(self.budget)), 1 - float(self.laws[1].sf(self.budget))

    def draw(
        self, generator: np.random.Generator, *, num: int, num_seeds: int | None = None
    ) -> list[tuple[Times, Times]]:
        """Return `num` pairs of entries as the board would hold them."""
        count = self.num_seeds if num_seeds is None else num_seeds
        shared = sqrt(self.correlation) * generator.standard_normal((num, count))
        columns = []
        for distribution in self.laws:
            scores = shared + sqrt(1 - self.correlation) * generator.standard_normal((num, count))
            exact = distribution.ppf(ndtr(scores))
            columns.append(np.ceil(exact / self.cadence) * self.cadence)
        return [(self._times(first), self._times(second)) for first, second in zip(*columns, strict=True)]

    def _times(self, steps: Floats) -> Times:
        return Times(np.minimum(steps, self.budget), steps <= self.budget, self.budget, self.cadence)


@dataclass(frozen=True)
class Law:
    """The law of t = scale · exp(spread · z), z of the tail's shape with mean 0 and standard deviation 1."""

    tail: Tail
    spread: float
    scale: float = 1.0

    @property
    def mean(self) -> float:
        """Return E t."""
        if self.tail == "log-normal":
            return self.scale * exp(self.spread**2 / 2)
        return self.scale * pi * self._stretch / sin(pi * self._stretch)

    @property
    def _stretch(self) -> float:
        """The logistic law has standard deviation π/√3; with spread 0.6 the log-logistic has no third moment."""
        return self.spread * (1.0 if self.tail == "log-normal" else sqrt(3) / pi)

    def sf(self, times: Floats | float) -> Floats:
        """Return P(T > t)."""
        with np.errstate(divide="ignore"):
            scores = np.log(np.asarray(times) / self.scale) / self._stretch
        found: Floats = (ndtr if self.tail == "log-normal" else expit)(-scores)
        return found

    def ppf(self, shares: Floats | float) -> Floats:
        """Return the quantiles."""
        found: Floats = self.scale * np.exp(self._stretch * (ndtri if self.tail == "log-normal" else logit)(shares))
        return found


def law(tail: Tail, spread: float) -> Law:
    """Return the law of t with mean 400 and standard deviation `spread` of log t."""
    return Law(tail, spread, REFERENCE_MEAN / Law(tail, spread).mean)


SEEDS = (8, 16, 32)
CENSORED = (0.0, 0.2, 0.5)
CADENCES = {"fine": 10.0, "coarse": 100.0}
SPREADS = {"equal": ((0.4, 0.4),), "unequal": ((0.2, 0.6), (0.6, 0.2))}
CORRELATIONS = (0.0, 0.6)
TAILS: tuple[Tail, ...] = ("log-normal", "log-logistic")


def blocks() -> list[tuple[dict[str, Any], list[Case]]]:
    """Return the cases that share a row and a column of the published table, with what they share.

    They differ in whether the times of a pair go together, and in which of the two is the erratic one.
    """
    return [
        (
            {"tail": tail, "spreads": spreads, "censored": censored, "cadence": cadence, "num_seeds": num_seeds},
            [
                Case(num_seeds, censored, CADENCES[cadence], pair, correlation, tail)
                for pair, correlation in product(SPREADS[spreads], CORRELATIONS)
            ],
        )
        for tail, spreads, censored, cadence, num_seeds in product(TAILS, SPREADS, CENSORED, CADENCES, SEEDS)
    ]
