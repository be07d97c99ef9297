"""Rules "statistics of one (workload, entry)" and "final": hand-computed, and against SciPy and lifelines."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bnbench.scoring.final import final_metric
from bnbench.scoring.intervals import wilson_interval
from bnbench.scoring.survival import hit_rate, median_steps, restricted_mean
from bnbench.scoring.times import Times


def times_of(steps: list[float | None], *, budget: float = 100) -> Times:
    reached = np.array([step is not None for step in steps])
    return Times(np.array([budget if step is None else step for step in steps], dtype=float), reached, budget)


def test_restricted_mean_is_the_mean_of_min_t_and_budget_with_its_interval() -> None:
    # min(t, T) = 30, 50, 70, 90: mean 60, deviations ±30, ±10 not skewed; squares sum to 2000, over n − 1 = 3 squared.
    interval = restricted_mean(times_of([30, 50, 70, 90]))
    half = 3.182446305284263 * sqrt(2000) / 3  # t(3) at 97.5 %
    assert interval.estimate == 60
    assert interval.low == pytest.approx(60 - half)
    assert interval.high == 100, "60 + 47.44 lies beyond the budget, where no restricted mean can be"


def test_one_seed_has_a_mean_but_no_interval() -> None:
    interval = restricted_mean(times_of([20]))
    assert (interval.estimate, interval.low, interval.high) == (20, None, None)


def test_all_censored_is_the_budget_and_no_median() -> None:
    times = times_of([None, None, None])
    assert restricted_mean(times).estimate == 100
    assert median_steps(times) is None


@pytest.mark.parametrize(
    ("steps", "median"),
    [([20, 30, None], 30), ([20, 30, None, None], 30), ([20, None, None], None), ([20], 20), ([None], None)],
)
def test_median_is_reached_when_half_of_the_seeds_hit(steps: list[float | None], median: float | None) -> None:
    assert median_steps(times_of(steps)) == median


# lifelines 0.30.3: KaplanMeierFitter().fit(t, e), restricted_mean_survival_time(km, t=T, return_variance=True). Its
# variance is that of min(t, T), not of the estimate. (Its median of the first case, 70, is not used: the product of
# fractions that makes S(50) = 1/2 comes out a rounding error above it.)
LIFELINES = [
    ([20, 30, 30, 50, 70, None, None, None], 100, 62.5, 1043.7500000000036),
    ([10, 10, 40, 40, 60, 60], 100, 36.66666666666667, 422.22222222222285),
    ([10, None, None, None, None], 60, 50.0, 400.00000000000045),
    ([10, 20, None, None], 60, 37.5, 518.7500000000009),
]


@pytest.mark.parametrize(("steps", "budget", "mean", "variance"), LIFELINES)
def test_restricted_mean_equals_the_area_lifelines_finds(
    steps: list[float | None], budget: float, mean: float, variance: float
) -> None:
    times = times_of(steps, budget=budget)
    assert restricted_mean(times).estimate == pytest.approx(mean, rel=1e-12)
    assert float(np.var(times.steps)) == pytest.approx(variance, rel=1e-12)


times_to_target = st.lists(st.one_of(st.none(), st.integers(0, 9).map(lambda step: 10 * step)), min_size=2, max_size=40)


@given(times_to_target)
def test_restricted_mean_and_median_equal_scipys_survival_curve(steps: list[float | None]) -> None:
    """S(t) = 1 − ECDF since all censoring is at T: Kaplan–Meier by SciPy, its area and its first time at one half."""
    times = times_of(steps)
    hits = [step for step in steps if step is not None]
    curve = stats.ecdf(stats.CensoredData(uncensored=hits, right=[100.0] * (len(steps) - len(hits)))).sf
    edges = np.unique(np.array([0.0, *hits, 100.0]))
    area = float(np.sum(np.diff(edges) * curve.evaluate(edges[:-1])))
    assert restricted_mean(times).estimate == pytest.approx(area)
    half = [edge for edge in edges if edge < 100 and curve.evaluate(edge) <= 0.5 + 1e-12]
    assert median_steps(times) == (half[0] if half else None)


def test_wilson_by_hand() -> None:
    # 8 of 10 at z = 1.96: (0.8 + 0.19207) ± 1.96·sqrt(0.016 + 0.009604) over 1.38415.
    interval = wilson_interval(8, 10)
    assert (interval.estimate, round(interval.low, 4), round(interval.high, 4)) == (0.8, 0.4902, 0.9433)


@given(st.integers(1, 200).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilson_equals_scipys(shares: tuple[int, int]) -> None:
    hits, count = shares
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    interval = wilson_interval(hits, count)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_hit_rate_counts_hits_at_the_budget() -> None:
    assert hit_rate(times_of([20, 100, None, None])).estimate == 0.5


def test_final_counts_a_diverged_seed_at_the_trivial_value() -> None:
    interval, lost = final_metric(np.array([0.9, 0.8, 0.95]), np.array([False, False, True]), trivial=0.1)
    assert interval.estimate == pytest.approx((0.9 + 0.8 + 0.1) / 3)
    assert lost == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_final_that_is_not_finite_counts_at_the_trivial_value_too(value: float) -> None:
    interval, lost = final_metric(np.array([0.9, value]), np.array([False, False]), trivial=0.1)
    assert (interval.estimate, lost) == (0.5, 1)


def test_final_of_a_lost_seed_is_unknown_without_a_trivial_value() -> None:
    interval, lost = final_metric(np.array([0.9, np.nan]), np.array([False, True]), trivial=None)
    assert (interval.estimate, lost) == (None, 1)


def test_final_needs_no_trivial_value_where_no_seed_is_lost() -> None:
    interval, lost = final_metric(np.array([1.0, 3.0]), np.array([False, False]), trivial=None)
    assert (interval.estimate, lost) == (2.0, 0)


def test_final_interval_of_an_accuracy_ends_at_one() -> None:
    interval, _ = final_metric(np.array([1.0, 0.9]), np.array([False, False]), trivial=0.1, possible=(0, 1))
    assert interval.high == 1


def test_without_a_hit_the_restricted_mean_is_the_budget_exactly() -> None:
    never = restricted_mean(Times(np.full(8, 800.0), np.zeros(8, bool), 800.0, cadence=20.0))
    assert (never.estimate, never.low, never.high) == (800, 800, 800)
