"""One entry against another over the seeds both have, and the two families in which such comparisons are corrected."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bnbench.scoring.holm import ALPHA, holm, holm_multiplier
from bnbench.scoring.seeds_needed import more_seeds
from bnbench.scoring.sign_flip import board_sign_flip_p, smallest_p
from bnbench.scoring.speedup import Speedup, speedup
from bnbench.scoring.times import Floats, Times


@dataclass(frozen=True)
class SeedTimes:
    """The times to target of one entry's seeds, both (n,), seeds ascending."""

    seeds: NDArray[np.int64]
    times: Times


@dataclass(frozen=True)
class Pairs:
    """Two entries on the seeds they share; `differences` (n,) = first − second in steps: > 0, the second is faster."""

    first: Times
    second: Times
    left_out: int

    @property
    def differences(self) -> Floats:
        return self.first.steps - self.second.steps


@dataclass(frozen=True)
class Comparison:
    """An entry against the reference: what is seen, and what the corrected test says of it."""

    pairs: Pairs
    speedup: Speedup
    p: float
    p_holm: float
    open_comparisons: int
    more_seeds: int | None
    alpha: float = ALPHA

    @property
    def decided(self) -> bool:
        return self.p_holm <= self.alpha

    @property
    def differing(self) -> int:
        return int(np.sum(self.pairs.differences != 0))

    @property
    def can_decide(self) -> bool:
        """Whether this many differing pairs could pass the corrected test, however clear the difference."""
        return smallest_p(self.differing) * self.open_comparisons <= self.alpha


def pair(first: SeedTimes, second: SeedTimes) -> Pairs:
    """Return both entries' times on the seeds both have."""
    if first.seeds is second.seeds or np.array_equal(first.seeds, second.seeds):
        return Pairs(first.times, second.times, 0)
    _, of_first, of_second = np.intersect1d(first.seeds, second.seeds, assume_unique=True, return_indices=True)
    left_out = len(first.seeds) + len(second.seeds) - 2 * len(of_first)
    return Pairs(first.times.take(of_first), second.times.take(of_second), left_out)


def compare_with_reference(
    reference: SeedTimes, others: Sequence[SeedTimes], *, alpha: float = ALPHA
) -> list[Comparison | None]:
    """Return each entry against the reference, Holm-corrected over all of them; None where they share no seed."""
    paired = [pair(reference, other) for other in others]
    tested = [index for index, pairs in enumerate(paired) if len(pairs.first)]
    p_values = np.array([board_sign_flip_p(paired[index].differences) for index in tested])
    adjusted = holm(p_values)
    still_open = holm_multiplier(p_values, alpha=alpha)
    comparisons: list[Comparison | None] = [None] * len(others)
    for position, index in enumerate(tested):
        pairs = paired[index]
        comparisons[index] = Comparison(
            pairs=pairs,
            speedup=speedup(pairs.first, pairs.second),
            p=float(p_values[position]),
            p_holm=float(adjusted[position]),
            open_comparisons=still_open,
            more_seeds=more_seeds(pairs.differences, alpha=alpha, comparisons=still_open),
            alpha=alpha,
        )
    return comparisons


@dataclass(frozen=True)
class Ranking:
    """Ranks in the given order; how many pairs of entries were tested; the most seeds each shares with another."""

    ranks: tuple[int, ...]
    tested: int
    most_pairs: tuple[int, ...]


def rank(entries: Sequence[SeedTimes], *, alpha: float = ALPHA) -> Ranking:
    """Return 1 + the number of entries that are significantly faster, after Holm over all pairs of entries."""
    couples, p_values, means = [], [], []
    most_pairs = [0] * len(entries)
    for first, second in combinations(range(len(entries)), 2):
        pairs = pair(entries[first], entries[second])
        if len(pairs.first):
            couples.append((first, second))
            p_values.append(board_sign_flip_p(pairs.differences))
            means.append(float(np.mean(pairs.differences)))
            for each in (first, second):
                most_pairs[each] = max(most_pairs[each], len(pairs.first))
    ranks = [1] * len(entries)
    for (first, second), adjusted, mean in zip(couples, holm(np.array(p_values)), means, strict=True):
        if adjusted <= alpha:
            ranks[first if mean > 0 else second] += 1
    return Ranking(tuple(ranks), len(couples), tuple(most_pairs))
