"""How often the test says "real": of entries that are equal, that are not, and once its advice is followed."""

from collections.abc import Callable
from itertools import product
from math import sqrt
from typing import Any

import numpy as np

from benchmarks.calibration_cases import TAILS, Case
from bnbench.scoring import Times, more_seeds, speedup
from bnbench.scoring.sign_flip import board_sign_flip_p

ALPHA = 0.05
POWER = 0.8
RATIOS = (1.2, 1.5, 2.0)
# Spreads of log t and correlations of pairs as real training has them: `python -m benchmarks.calibration aa` prints
# those of small networks; 100-100-100 on digits has spreads of .13–.26, and .2 (none, batch) to .9 (rms, scale).
REALISTIC = {"alike": ((0.2, 0.2), 0.5), "typical": ((0.2, 0.25), 0.3), "erratic": ((0.4, 0.5), 0.2)}
CADENCE = 20.0
FIRST_SEEDS = 8
MOST_SEEDS = 256

TestP = Callable[[Times, Times], float]


def measure_power(*, simulations: int) -> dict[str, Any]:
    """Return the size of the test where it is in doubt, its power, and whether its advice leads to a decision."""
    generator = np.random.default_rng(6)
    fewer = max(1, simulations // 4)  # a power near 80 % needs no more, and is searched for
    return {
        "simulations": {"size": simulations, "power": fewer},
        "monte_carlo_error": {"size": sqrt(0.05 * 0.95 / simulations), "power": sqrt(0.8 * 0.2 / fewer)},
        "size": [size_of(case, generator, simulations=simulations) for case in size_cases()],
        "power": [
            {"spreads": told, "ratio": ratio} | power_of(realistic(told, ratio), generator, simulations=fewer)
            for told, ratio in product(REALISTIC, RATIOS)
        ],
    }


def size_cases() -> list[Case]:
    """Return pairs of entries with equal restricted means, from alike to most unlike spreads."""
    return [
        Case(num_seeds, censored, 10.0, spreads, correlation, tail, ratio=1.0)
        for tail, spreads, correlation, censored, num_seeds in product(
            TAILS, ((0.4, 0.4), (0.1, 0.3), (0.2, 0.6)), (0.0, 0.6), (0.0, 0.2), (8, 16)
        )
    ]


def sign_flip(reference: Times, entry: Times) -> float:
    """Return the p of the board."""
    return board_sign_flip_p(reference.steps - entry.steps)


def size_of(case: Case, generator: np.random.Generator, *, simulations: int, test: TestP = sign_flip) -> dict[str, Any]:
    """Return how often entries with equal restricted means are called different, and how often not narrowly."""
    drawn = case.draw(generator, num=simulations)
    called = [test(*pair) <= ALPHA for pair in drawn]
    clearly = [yes and not narrow(*pair) for yes, pair in zip(called, drawn, strict=True)]
    return {
        "num_seeds": case.num_seeds,
        "censored": case.censored,
        "spreads": list(case.spreads),
        "correlation": case.correlation,
        "tail": case.tail,
        "size": float(np.mean(called)),
        "clearly": float(np.mean(clearly)),
    }


def narrow(reference: Times, entry: Times) -> bool:
    """Return whether the interval of the speed-up holds 1, which the verdict then says."""
    seen = speedup(reference, entry)
    return seen.low is not None and seen.high is not None and seen.low <= 1 <= seen.high


def realistic(told: str, ratio: float) -> Case:
    """Return entries with the spreads of real training."""
    spreads, correlation = REALISTIC[told]
    return Case(FIRST_SEEDS, 0.0, CADENCE, spreads, correlation, ratio=ratio)


def power_of(case: Case, generator: np.random.Generator, *, simulations: int) -> dict[str, Any]:
    """Return the seeds needed for 80 % power, how often the verdict is a narrow one then, and what advice leads to."""
    needed = seeds_for_power(case, generator, simulations=simulations)
    drawn = case.draw(generator, num=simulations, num_seeds=needed or MOST_SEEDS)
    narrowly = [narrow(*pair) for pair in drawn if sign_flip(*pair) <= ALPHA]
    return {"needed": needed, "narrowly": float(np.mean(narrowly))} | followed(case, generator, simulations=simulations)


def seeds_for_power(case: Case, generator: np.random.Generator, *, simulations: int) -> int | None:
    """Return the fewest seeds with which the test decides in 80 % of the simulations, by bisection."""
    few, enough = 5, MOST_SEEDS
    if power_with(enough, case, generator, simulations=simulations) < POWER:
        return None
    while enough - few > 1:
        middle = (few + enough) // 2
        if power_with(middle, case, generator, simulations=simulations) < POWER:
            few = middle
        else:
            enough = middle
    return enough


def power_with(num_seeds: int, case: Case, generator: np.random.Generator, *, simulations: int) -> float:
    """Return how often a given number of seeds decides."""
    pairs = case.draw(generator, num=simulations, num_seeds=num_seeds)
    return float(np.mean([sign_flip(*pair) <= ALPHA for pair in pairs]))


def followed(case: Case, generator: np.random.Generator, *, simulations: int) -> dict[str, Any]:
    """Return what became of entries that eight seeds left open, once the advised seeds were added to them.

    `open` is the share left open, `advised` the quartiles of the advice, `no_advice` the share of the open ones without
    any, `decided` the share that a number of fresh seeds as large as advised decides, `decided_together` that of the
    old and new seeds together, which is what impatience does.
    """
    first = case.draw(generator, num=simulations)
    still_open = [pair for pair in first if sign_flip(*pair) > ALPHA]
    advice = [more_seeds(pair[0].steps - pair[1].steps, alpha=ALPHA, comparisons=1) for pair in still_open]
    fresh, together = [], []
    for pair, more in zip(still_open, advice, strict=True):
        if more is None or more > MOST_SEEDS:
            continue
        differences = pair[0].steps - pair[1].steps
        [(reference, entry)] = case.draw(generator, num=1, num_seeds=FIRST_SEEDS + more)
        new = reference.steps - entry.steps
        fresh.append(board_sign_flip_p(new) <= ALPHA)
        together.append(board_sign_flip_p(np.concatenate([differences, new[FIRST_SEEDS:]])) <= ALPHA)
    given = [FIRST_SEEDS + more for more in advice if more is not None]
    return {
        "open": len(still_open) / simulations,
        "no_advice": 1 - len(fresh) / len(still_open) if still_open else None,
        "advised": np.quantile(given, [0.25, 0.5, 0.75]).tolist() if given else None,
        "decided": float(np.mean(fresh)) if fresh else None,
        "decided_together": float(np.mean(together)) if together else None,
    }
