"""The exact test of "no difference": under it, every paired difference is as likely to have the other sign."""

from functools import cache
from math import log2

import numpy as np
from numpy.typing import NDArray

from bnbench.scoring.times import Floats

ENUMERATED_PAIRS = 16
LATTICE_CELLS = 4_000_000
SAMPLES = 99_999
# Only differences that lie on no lattice of steps are sampled; a fixed seed per test makes a board depend on its runs
# alone.
SEED = 0


def board_sign_flip_p(differences: Floats) -> float:
    """Return the p of the sign-flip test as boards have it: exact, or sampled from the same stream in every test."""
    exact = exact_sign_flip_p(differences)
    if exact is not None:
        return exact
    return sampled_sign_flip_p(differences, generator=np.random.default_rng(SEED))


def sign_flip_p(differences: Floats, *, generator: np.random.Generator) -> float:
    """Return the two-sided p of the sign-flip test: the share of the 2ⁿ sign patterns with |Σ| at least the observed.

    The exact p where it can be counted, else an estimate from 99,999 patterns drawn from `generator`, the observed one
    counted with them. A zero difference flips into itself and decides nothing.

    >>> sign_flip_p(np.array([30., 10., 20.]), generator=np.random.default_rng(0))  # 2 of 8 patterns
    0.25
    """
    exact = exact_sign_flip_p(differences)
    return sampled_sign_flip_p(differences, generator=generator) if exact is None else exact


def exact_sign_flip_p(differences: Floats) -> float | None:
    """Return the exact p: for n ≤ 16 by enumeration, for any n when the differences are whole multiples of one step.

    Times on an evaluation cadence are, and then the patterns of every possible sum are counted. None otherwise.
    """
    sizes, threshold = _sizes_and_threshold(differences)
    if threshold <= 0:
        return 1.0
    if len(sizes) <= ENUMERATED_PAIRS:
        return _enumerated(sizes, threshold)
    lattice = _on_lattice(sizes)
    return None if lattice is None else _counted(lattice[0], threshold / lattice[1])


def sampled_sign_flip_p(differences: Floats, *, generator: np.random.Generator) -> float:
    """Return (1 + extreme patterns) / (1 + 99,999) over patterns drawn from `generator`: never zero."""
    sizes, threshold = _sizes_and_threshold(differences)
    signs = generator.integers(0, 2, size=(SAMPLES, len(sizes)), dtype=np.int8) * 2 - 1
    extreme = int(np.count_nonzero(np.abs(signs @ sizes) >= threshold))
    return (1 + extreme) / (1 + SAMPLES)


def smallest_p(pairs: int) -> float:
    """Return the smallest p that `pairs` non-tied pairs can reach, 2/2ⁿ.

    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    """
    return 1.0 if pairs < 1 else 2.0 ** (1 - pairs)


def pairs_needed(alpha: float, *, comparisons: int = 1) -> int:
    """Return the fewest non-tied pairs with which one of `comparisons` can pass Holm's first step at `alpha`.

    >>> pairs_needed(0.05), pairs_needed(0.05, comparisons=15)
    (6, 10)
    """
    pairs = max(1, int(1 + log2(comparisons / alpha)))
    return pairs if smallest_p(pairs) * comparisons <= alpha else pairs + 1


def _sizes_and_threshold(differences: Floats) -> tuple[Floats, float]:
    """The sizes, ascending whatever the order of seeds, and the |Σ| from which a pattern counts as extreme."""
    sizes = np.sort(np.abs(differences[differences != 0]))
    # The order of summation must not decide whether a pattern counts as equal to the observed one.
    return sizes, abs(float(differences.sum())) - 1e-12 * float(sizes.sum())


@cache
def _patterns(count: int) -> Floats:
    """All 2ⁿ rows of n signs."""
    return 1.0 - 2.0 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)


def _enumerated(sizes: Floats, threshold: float) -> float:
    """Every pattern is a sum over half of the pairs plus one over the rest: 2ⁿ patterns met by sorting 2ⁿᐟ² sums."""
    halves = sizes[::2], sizes[1::2]
    first, second = (_patterns(len(half)) @ half for half in halves)
    second.sort()
    at_least = len(first) * len(second) - int(second.searchsorted(threshold - first).sum())
    return min(1.0, 2.0 * at_least / (len(first) * len(second)))


def _on_lattice(sizes: Floats) -> tuple[NDArray[np.int64], int] | None:
    if not np.all(sizes == np.rint(sizes)) or float(np.sum(sizes)) >= 2**53:
        return None
    whole = sizes.astype(np.int64)
    unit = int(np.gcd.reduce(whole))
    cells = whole // unit
    return (cells, unit) if int(np.sum(cells)) * len(cells) <= LATTICE_CELLS else None


def _counted(cells: NDArray[np.int64], threshold: float) -> float:
    """P(Σ ± cells = s) for every s, one pair after another: shares[s] with s counted from −Σ cells in twos."""
    shares = np.ones(1)
    for cell in cells:
        longer = np.zeros(len(shares) + cell)
        longer[: len(shares)] += shares / 2
        longer[cell:] += shares / 2
        shares = longer
    total = int(np.sum(cells))
    sums = 2 * np.arange(len(shares)) - total
    return min(1.0, 2.0 * float(np.sum(shares[sums >= threshold])))
