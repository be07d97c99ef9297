"""The interval of the means: Student's, wider by √(n/(n−1)), with half of Hall's correction for skewness."""

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from bnbench.scoring.intervals import mean_interval, reach
from bnbench.scoring.speedup import speedup
from bnbench.scoring.survival import restricted_mean
from bnbench.scoring.times import Times, time_to_target

samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


def interval_by_search(values: np.ndarray) -> tuple[float, float]:
    """Hall's h is solved by bisection, with the skewness of SciPy: nothing is shared with the code under test."""
    count, mean = len(values), float(np.mean(values))
    spread = float(np.std(values, ddof=1)) * sqrt(count / (count - 1))
    skewness = 0.5 * float(stats.skew(values))

    def hall(x: float) -> float:
        return x + skewness * x**2 / 3 + skewness**2 * x**3 / 27 + skewness / (6 * count)

    def solved(quantile: float) -> float:
        return float(optimize.brentq(lambda x: hall(x) - quantile / sqrt(count), -1e4, 1e4, xtol=1e-14))

    t = float(stats.t.ppf(0.975, count - 1))
    return mean - spread * solved(t), mean - spread * solved(-t)


@given(samples)
def test_mean_interval_equals_halls_polynomial_solved_by_search(sample: list[float]) -> None:
    values = np.array(sample)
    assume(np.std(values) > 1e-3 * (1 + np.max(np.abs(values))))
    interval = mean_interval(values)
    assert (interval.low, interval.high) == pytest.approx(interval_by_search(values), rel=1e-6)


@given(samples)
def test_without_skewness_it_is_students_interval_a_little_wider(sample: list[float]) -> None:
    values = np.array([*sample, *(-value for value in sample)])
    interval = mean_interval(values)
    count = len(values)
    half = float(stats.t.ppf(0.975, count - 1)) * float(np.std(values, ddof=1)) / sqrt(count - 1)
    assert (interval.low, interval.high) == pytest.approx((-half, half), abs=1e-6 * (1 + half))


def test_interval_reaches_further_where_the_long_tail_is() -> None:
    below, above = reach(np.array([-2.0, -1.0, -1.0, 0.0, 4.0]))
    assert above > 1.2 * below
    assert reach(np.array([2.0, 1.0, 1.0, 0.0, -4.0])) == pytest.approx((above, below))


@pytest.mark.parametrize("unit", [1e-200, 1e-3, 1e100])
def test_unit_of_the_values_changes_nothing(unit: float) -> None:
    deviations = np.array([-2.0, -1.0, -1.0, 0.0, 4.0])
    assert np.array(reach(deviations * unit)) / unit == pytest.approx(reach(deviations), rel=1e-12)


def test_values_that_are_all_equal_have_an_interval_of_no_width() -> None:
    interval = mean_interval(np.full(8, 0.97))
    assert (interval.low, interval.high) == pytest.approx((0.97, 0.97))


def test_seeds_that_hit_at_one_evaluation_keep_the_spread_of_rounding_to_the_cadence() -> None:
    """Eight times of 100 known to ±50: t(7) · 100/√12 / √8, with nothing skewed."""
    steps = np.arange(0, 1001, 100)
    times = time_to_target(steps, np.tile(steps >= 100, (8, 1)).astype(float), target=1, direction="max", budget=1000)
    assert (times.cadence, times.take(np.arange(3)).cadence) == (100, 100)
    half = 2.3646242515927844 * 100 / sqrt(12) / sqrt(8)
    interval = restricted_mean(times)
    assert (interval.low, interval.high) == pytest.approx((100 - half, 100 + half))
    never = Times(np.full(8, 1000.0), np.zeros(8, bool), 1000.0, cadence=100.0)
    ratio = speedup(never, times)
    half_of_log = 2.3646242515927844 / sqrt(8) * sqrt(0.1**2 + 1**2) / sqrt(12)
    assert (ratio.low, ratio.high) == pytest.approx((exp(log(10) - half_of_log), exp(log(10) + half_of_log)))


def test_cadence_takes_no_part_where_the_spread_is_seen() -> None:
    steps = np.array([100.0, 200, 300, 500, 300, 200, 400, 900])
    fine, coarse = (Times(steps, np.ones(8, bool), 1000.0, cadence=cadence) for cadence in (1.0, 100.0))
    assert restricted_mean(fine) == restricted_mean(coarse)
