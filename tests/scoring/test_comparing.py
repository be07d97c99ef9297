"""Rules "comparing": speed-up, its bound, the sign-flip test, Holm, ranks, and the seeds that would decide."""

from itertools import product
from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bnbench.scoring.comparison import Comparison, SeedTimes, compare_with_reference, pair, rank
from bnbench.scoring.holm import holm, holm_multiplier
from bnbench.scoring.seeds_needed import more_seeds
from bnbench.scoring.sign_flip import SAMPLES, pairs_needed, sign_flip_p, smallest_p
from bnbench.scoring.speedup import speedup
from bnbench.scoring.times import Times

BUDGET = 1000.0


def times_of(steps: list[float | None]) -> Times:
    reached = np.array([step is not None for step in steps])
    return Times(np.array([BUDGET if step is None else step for step in steps], dtype=float), reached, BUDGET)


def seeds_of(steps: list[float | None], *, first_seed: int = 0) -> SeedTimes:
    return SeedTimes(np.arange(first_seed, first_seed + len(steps)), times_of(steps))


def flip(differences: list[float], *, seed: int = 0) -> float:
    return sign_flip_p(np.array(differences, dtype=float), generator=np.random.default_rng(seed))


def test_speedup_by_hand() -> None:
    # Means 100 and 40: ratio 2.5. a/100 − b/40 = ±0.2, ±0.05, not skewed: squares sum to 0.085, over n − 1 = 3 squared.
    result = speedup(times_of([120, 80, 100, 100]), times_of([40, 40, 38, 42]))
    half = 3.182446305284263 * sqrt(0.085) / 3  # t(3) at 97.5 %
    assert result.estimate == 2.5
    assert (result.low, result.high) == pytest.approx((2.5 * exp(-half), 2.5 * exp(half)), rel=1e-12)
    assert result.bound == "exact"


def test_pairing_narrows_the_interval_when_seeds_move_together() -> None:
    reference, entry = [100, 200, 300, 400], [50, 100, 150, 200]
    paired = speedup(times_of(reference), times_of(entry))
    crossed = speedup(times_of(reference), times_of(entry[::-1]))
    assert (paired.low, paired.high) == pytest.approx((2.0, 2.0)), "each seed is exactly twice as fast"
    assert crossed.low < 1 < crossed.high


@pytest.mark.parametrize(
    ("reference", "entry", "bound"),
    [
        ([100, 200], [50, 60], "exact"),
        ([100, None], [50, 60], "at_least"),
        ([100, 200], [50, None], "at_most"),
        ([100, None], [50, None], "undefined"),
        ([None, None], [50, 60], "at_least"),
        ([100, 200], [None, None], "at_most"),
        ([None, None], [50, None], "undefined"),
    ],
)
def test_censoring_makes_the_speedup_a_bound(reference: list[float], entry: list[float], bound: str) -> None:
    result = speedup(times_of(reference), times_of(entry))
    assert result.bound == bound
    assert result.estimate == np.mean(times_of(reference).steps) / np.mean(times_of(entry).steps)


def test_neither_reaches_has_no_speedup() -> None:
    result = speedup(times_of([None, None]), times_of([None, None]))
    assert (result.estimate, result.low, result.high, result.bound) == (None, None, None, "undefined")


@pytest.mark.parametrize(("reference", "entry"), [([0, 0], [10, 20]), ([10, 20], [0, 0]), ([0, 0], [0, 0])])
def test_a_mean_of_zero_steps_makes_no_ratio(reference: list[float], entry: list[float]) -> None:
    result = speedup(times_of(reference), times_of(entry))
    assert (result.estimate, result.bound) == (None, "undefined")


def test_some_crossings_at_step_zero_do_not_break_the_ratio() -> None:
    assert speedup(times_of([10, 30]), times_of([0, 20])).estimate == 2


def test_one_pair_has_a_ratio_but_no_interval() -> None:
    result = speedup(times_of([100]), times_of([50]))
    assert (result.estimate, result.low, result.high, result.bound) == (2, None, None, "exact")


def test_unpaired_times_are_refused() -> None:
    with pytest.raises(ValueError, match="not paired"):
        speedup(times_of([1, 2]), times_of([1]))


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        pytest.param([10, 20, 30, 40, 50, 60], 2 / 64, id="all-one-way"),
        # |Σ| ≥ 190 of 210 leaves at most 10 on the other side: none or the 10, times two directions.
        pytest.param([-10, 20, 30, 40, 50, 60], 4 / 64, id="the-smallest-the-other-way"),
        pytest.param([10, -10], 1.0, id="they-cancel"),
        pytest.param([10, 10, 10], 2 / 8, id="ties-among-sizes"),
        pytest.param([0, 0, 10, 20, 30], 2 / 8, id="equal-pairs-decide-nothing"),
        pytest.param([0, 0], 1.0, id="nothing-differs"),
        pytest.param([], 1.0, id="nothing-at-all"),
        pytest.param([0.1, 0.2, 0.3], 2 / 8, id="rounding-does-not-lose-the-observed-pattern"),
    ],
)
def test_sign_flip_by_hand(differences: list[float], p: float) -> None:
    assert flip(differences) == p


def brute_force(differences: list[float]) -> float:
    signs = np.array(list(product([-1, 1], repeat=len(differences))), dtype=np.int64)
    return float(np.mean(np.abs(signs @ np.abs(differences)) >= abs(sum(differences))))


@given(st.lists(st.integers(-30, 30), min_size=1, max_size=9))
def test_sign_flip_equals_every_pattern_written_out(differences: list[float]) -> None:
    assert flip(differences) == pytest.approx(brute_force(differences), rel=1e-12)


@pytest.mark.parametrize("count", [5, 8, 11])
def test_sign_flip_equals_scipys_permutation_test(count: int) -> None:
    differences = np.random.default_rng(count).normal(0.5, 1, count)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip_p(differences, generator=np.random.default_rng(0)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [17, 18])
def test_sign_flip_beyond_sixteen_pairs_stays_exact_on_a_cadence(count: int) -> None:
    differences = (10 * np.random.default_rng(count).integers(-9, 20, count)).tolist()
    assert 0 < flip(differences) < 1
    assert flip(differences) == pytest.approx(brute_force(differences), rel=1e-12)


def test_sign_flip_of_many_pairs_all_one_way_reaches_its_smallest_p() -> None:
    assert flip([float(10 * size) for size in range(1, 65)]) == pytest.approx(smallest_p(64), rel=1e-9)


def test_sign_flip_samples_what_it_cannot_count() -> None:
    """Times π the differences lie on no lattice, and the exact p does not change."""
    whole = np.random.default_rng(3).integers(-9, 16, 30) * 10
    exact, sampled = flip(whole.tolist()), flip((whole * np.pi).tolist())
    assert 0.001 < exact < 0.5
    assert abs(sampled - exact) < 4 * sqrt(exact * (1 - exact) / SAMPLES)
    assert sampled != flip((whole * np.pi).tolist(), seed=1), "the generator given is the one used"
    assert sampled == flip((whole * np.pi).tolist())


def test_sampled_p_is_never_zero() -> None:
    assert flip([size * np.pi for size in range(1, 41)]) == 1 / (1 + SAMPLES)


@pytest.mark.parametrize(("pairs", "p"), [(1, 1.0), (5, 0.0625), (6, 0.03125), (8, 0.0078125)])
def test_smallest_p_is_two_over_two_to_the_n(pairs: int, p: float) -> None:
    assert smallest_p(pairs) == p
    assert flip([10.0] * pairs) == p


@pytest.mark.parametrize(("comparisons", "pairs"), [(1, 6), (2, 7), (5, 8), (15, 10), (21, 10), (105, 13)])
def test_pairs_needed_are_the_fewest_that_pass_holms_first_step(comparisons: int, pairs: int) -> None:
    assert pairs_needed(0.05, comparisons=comparisons) == pairs
    assert smallest_p(pairs) * comparisons <= 0.05 < smallest_p(pairs - 1) * comparisons


def test_eight_seeds_cannot_split_any_of_fifteen_pairs() -> None:
    entries = [seeds_of([100.0 * (place + 1) + seed for seed in range(8)]) for place in range(6)]
    assert rank(entries).ranks == (1,) * 6
    more = [seeds_of([100.0 * (place + 1) + seed for seed in range(10)]) for place in range(6)]
    assert rank(more).ranks == (1, 2, 3, 4, 5, 6)


def test_holm_by_hand() -> None:
    # Sorted 0.005 0.01 0.03 0.04, times 4 3 2 1: 0.02 0.03 0.06 0.04, and never below the one before: 0.06.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_one_and_takes_nothing() -> None:
    assert holm(np.array([0.6, 0.9])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_holm_multiplier_leaves_out_what_is_decided() -> None:
    assert holm_multiplier(np.array([0.001, 0.2, 0.3])) == 2
    assert holm_multiplier(np.array([0.2, 0.3, 0.4])) == 3
    assert holm_multiplier(np.array([0.001])) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 1))
def test_holm_is_never_below_the_raw_p_and_grows_with_the_family(p_values: list[float], another: float) -> None:
    raw = np.array(p_values)
    assert np.all(holm(raw) >= raw)
    assert np.all(holm(np.array([*p_values, another]))[:-1] >= holm(raw) - 1e-15)


def test_only_seeds_that_both_have_are_compared() -> None:
    pairs = pair(seeds_of([10, 20, 30, 40]), seeds_of([1, 2, 3], first_seed=2))
    assert pairs.differences.tolist() == [29, 38]
    assert pairs.left_out == 3


def test_no_common_seed_is_no_comparison_and_not_in_the_family() -> None:
    reference = seeds_of([100.0 + seed for seed in range(6)])
    stranger = seeds_of([1.0] * 6, first_seed=50)
    clear = seeds_of([50.0] * 6)
    comparison, none = compare_with_reference(reference, [clear, stranger])
    assert none is None
    assert comparison is not None
    assert comparison.p_holm == comparison.p == 2 / 64


def test_rank_is_one_plus_the_entries_significantly_better() -> None:
    slow = [200.0 + seed % 3 for seed in range(16)]
    fast = [100.0 + seed % 2 for seed in range(16)]
    mixed = [100.0 + seed % 3 - (seed % 2) for seed in range(16)]
    assert rank([seeds_of(slow), seeds_of(fast), seeds_of(mixed)]).ranks == (3, 1, 1)


def test_more_seeds_by_hand() -> None:
    # Mean 11.667, s = 14.72: δ = 0.7926; (1.96 + 0.8416)² / 0.6282 + 1.92 = 14.41 pairs: 9 more than the 6.
    assert more_seeds(np.array([-10.0, 30, 10, 20, 0, 20]), alpha=0.05, comparisons=1) == 9


def test_more_seeds_never_promises_what_the_smallest_p_forbids() -> None:
    assert more_seeds(np.array([10.0, 11, 12, 10]), alpha=0.05, comparisons=1) == 2
    assert more_seeds(np.array([10.0, 11, 12, 10]), alpha=0.05, comparisons=15) == 6


def test_more_seeds_counts_that_some_pairs_tie() -> None:
    """A third of the pairs are equal, so nine pairs are needed for six that differ."""
    assert more_seeds(np.array([0.0, 0, 10, 10, 10, 10]), alpha=0.05, comparisons=1) == 9 - 6


@pytest.mark.parametrize("differences", [[], [10.0], [0.0, 0.0], [10.0, -10.0], [1000.0, -999.0]])
def test_more_seeds_are_not_promised_without_a_difference_to_go_by(differences: list[float]) -> None:
    assert more_seeds(np.array(differences), alpha=0.05, comparisons=1) is None


@pytest.mark.parametrize("effect", [0.3, 0.5, 0.8, 1.2])
@pytest.mark.parametrize("comparisons", [1, 5])
def test_more_seeds_agree_with_the_power_of_the_t_test(effect: float, comparisons: int) -> None:
    differences = np.array([-1.0, 1.0] * 4) / np.std([-1.0, 1.0] * 4, ddof=1) + effect
    alpha = 0.05 / comparisons
    total = 8 + (more_seeds(differences, alpha=0.05, comparisons=comparisons) or 0)

    def power(count: int) -> float:
        quantile = stats.t.ppf(1 - alpha / 2, count - 1)
        return float(stats.nct.sf(quantile, count - 1, effect * sqrt(count)))

    exact = next(count for count in range(pairs_needed(0.05, comparisons=comparisons), 1000) if power(count) >= 0.8)
    assert abs(total - max(exact, 9)) <= 1


times_lists = st.lists(
    st.tuples(*[st.one_of(st.none(), st.integers(1, 99).map(lambda step: 10 * step))] * 2), min_size=2, max_size=20
)


@given(times_lists, st.randoms(use_true_random=False))
def test_the_order_of_seeds_changes_nothing(pairs: list[tuple[float | None, float | None]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    before, after = (compare(rows) for rows in (pairs, shuffled))
    assert before.p == after.p
    assert before.speedup.bound == after.speedup.bound
    assert (before.speedup.estimate is None) == (after.speedup.estimate is None)
    if before.speedup.estimate is not None:
        assert after.speedup.estimate == pytest.approx(before.speedup.estimate)
        assert after.speedup.low == pytest.approx(before.speedup.low)


@given(times_lists, st.sampled_from([0.5, 3.0, 1024.0]))
def test_the_unit_of_steps_changes_nothing(pairs: list[tuple[float | None, float | None]], factor: float) -> None:
    def scaled(times: Times) -> Times:
        return Times(times.steps * factor, times.reached, times.budget * factor)

    reference, entry = (times_of(list(column)) for column in zip(*pairs, strict=True))
    before, after = speedup(reference, entry), speedup(scaled(reference), scaled(entry))
    assert (before.estimate is None) == (after.estimate is None)
    if before.estimate is not None:
        assert (after.estimate, after.low, after.high) == pytest.approx((before.estimate, before.low, before.high))
    differences = reference.steps - entry.steps
    assert flip((factor * differences).tolist()) == pytest.approx(flip(differences.tolist()), rel=1e-9)


@given(times_lists)
def test_the_other_way_round_is_the_inverse(pairs: list[tuple[float | None, float | None]]) -> None:
    there, back = compare(pairs), compare([(entry, reference) for reference, entry in pairs])
    mirrored = {"exact": "exact", "undefined": "undefined", "at_least": "at_most", "at_most": "at_least"}
    assert back.p == there.p
    assert back.speedup.bound == mirrored[there.speedup.bound]
    if there.speedup.estimate is not None:
        assert back.speedup.estimate == pytest.approx(1 / there.speedup.estimate)
        assert back.speedup.low == pytest.approx(1 / there.speedup.high)


@given(st.lists(st.lists(st.integers(1, 50), min_size=8, max_size=8), min_size=3, max_size=6))
def test_adding_an_entry_leaves_raw_p_and_speedups_and_never_helps_a_corrected_p(entries: list[list[float]]) -> None:
    reference, *others = [seeds_of([10 * step for step in steps]) for steps in entries]
    before, after = compare_with_reference(reference, others[:-1]), compare_with_reference(reference, others)
    for one, same in zip(before, after, strict=False):
        assert one is not None
        assert same is not None
        assert (same.p, same.speedup) == (one.p, one.speedup)
        assert same.p_holm >= one.p_holm


@given(st.lists(st.lists(st.integers(1, 50), min_size=12, max_size=12), min_size=2, max_size=6))
def test_ranks_are_integers_from_one_and_the_fastest_has_rank_one(entries: list[list[float]]) -> None:
    ranks = rank([seeds_of([10 * step for step in steps]) for steps in entries]).ranks
    assert all(isinstance(place, int) and 1 <= place <= len(entries) for place in ranks)
    assert ranks[int(np.argmin([sum(steps) for steps in entries]))] == 1


def compare(pairs: list[tuple[float | None, float | None]]) -> Comparison:
    reference, entry = (seeds_of(list(column)) for column in zip(*pairs, strict=True))
    (comparison,) = compare_with_reference(reference, [entry])
    assert comparison is not None
    return comparison
