"""The details of a row: each rule against numbers worked by hand or another way of computing them."""

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from math import log2
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.stats import iqr

from bnbench.records.read import load_records
from bnbench.scoring import Board, score
from bnbench.scoring.area_under_curve import area_under_curve
from bnbench.scoring.best_of import expected_best_of
from bnbench.scoring.board import Row
from bnbench.scoring.expected_running_time import expected_running_time
from bnbench.scoring.spread import interquartile_range, worst_tenth
from bnbench.scoring.stalled import stalled
from bnbench.scoring.times import Times
from bnbench.scoring.width import width_of

Cell = Callable[..., Path]
steps_and_hits = st.lists(st.tuples(st.integers(1, 100), st.booleans()), min_size=1, max_size=20)


def board_of(runs_dir: Path) -> Board:
    return score(load_records(runs_dir))


def row(board: Board, entry: str) -> Row:
    (found,) = [each for each in board.entries if each.entry == entry]
    return found


@given(steps_and_hits)
def test_expected_running_time_is_the_mean_hit_plus_the_misses_tried_before_it(drawn: list[tuple[int, bool]]) -> None:
    """Auger and Hansen's form: E[steps of a hit] + (1 − p)/p · budget."""
    reached = np.array([hit for _, hit in drawn])
    steps = np.where(reached, [float(step) for step, _ in drawn], 100.0)
    found = expected_running_time(Times(steps, reached, 100))
    if not reached.any():
        assert found is None
        return
    share = reached.mean()
    assert found == pytest.approx(steps[reached].mean() + (1 - share) / share * 100)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=5, max_size=5), min_size=1, max_size=4),
    st.integers(0, 5),
)
def test_the_area_under_a_curve_is_scipys_with_lost_values_at_trivial(curves: list[list[float]], died: int) -> None:
    steps = np.array([0.0, 10.0, 20.0, 30.0, 35.0])
    values = np.array(curves)
    values[0, died:] = np.nan
    counted = np.array(curves)
    counted[0, died:] = 0.1
    expected = [trapezoid(curve, steps) / 35 for curve in counted]
    assert area_under_curve(steps, values, trivial=0.1) == pytest.approx(expected)


def test_without_a_trivial_value_a_lost_seed_has_no_area() -> None:
    area = area_under_curve(np.array([0.0, 10.0]), np.array([[0.5, np.nan], [0.5, 0.7]]), trivial=None)
    assert np.isnan(area[0])
    assert area[1] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("values", "direction", "trivial", "goal", "expected"),
    [
        pytest.param([0.1, 0.14], "max", 0.1, 0.9, True, id="at the bound: 0.1 + 5 % of 0.8"),
        pytest.param([0.1, 0.15], "max", 0.1, 0.9, False, id="just beyond"),
        pytest.param([0.1, 0.9, 0.1], "max", 0.1, 0.9, False, id="learnt and forgot"),
        pytest.param([2.0, 1.95], "min", 2.0, 1.0, True, id="less is better"),
        pytest.param([2.0, 1.9], "min", 2.0, 1.0, False, id="less is better, beyond"),
        pytest.param([np.nan, np.nan], "max", 0.1, 0.9, True, id="no finite value, and not diverged"),
        pytest.param([0.1, 0.1], "max", None, 0.9, False, id="trivial not known"),
        pytest.param([0.1, 0.1], "max", 0.1, None, False, id="goal not known"),
        pytest.param([0.1, 0.1], "max", 0.9, 0.5, False, id="goal no better than trivial"),
    ],
)
def test_stalled_is_never_beyond_chance(
    values: list[float], direction: str, trivial: float | None, goal: float | None, expected: bool
) -> None:
    found = stalled(np.array([values]), np.array([False]), trivial=trivial, goal=goal, direction=direction)
    assert found.tolist() == [expected]
    died = stalled(np.array([values]), np.array([True]), trivial=trivial, goal=goal, direction=direction)
    assert died.tolist() == [False]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_spread_is_scipys_interquartile_range_and_the_mean_of_the_slowest_tenth(values: list[float]) -> None:
    array = np.array(values)
    assert interquartile_range(array) == pytest.approx(iqr(array), abs=1e-9)
    slowest = sorted(values, reverse=True)[: max(1, -(-len(values) // 10))]
    assert worst_tenth(array) == pytest.approx(sum(slowest) / len(slowest), abs=1e-6)


def test_a_spread_with_an_unknown_value_is_unknown() -> None:
    assert interquartile_range(np.array([1.0, np.nan])) is None
    assert interquartile_range(np.array([])) is None


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=7))
def test_the_expected_best_of_k_is_the_mean_over_all_subsets(values: list[int]) -> None:
    """Every subset enumerated; of each the one that stands first is taken."""
    found = expected_best_of([float(value) for value in values])
    for drawn in range(1, len(values) + 1):
        taken = [Fraction(values[min(subset)]) for subset in combinations(range(len(values)), drawn)]
        assert found[drawn - 1] == pytest.approx(float(sum(taken) / len(taken)))


@pytest.mark.parametrize(
    ("serving", "octaves", "open_below", "open_above"),
    [
        ([False] * 5, None, False, False),
        ([True] * 5, log2(0.1 / 0.001), True, True),
        ([False, True, False, False, False], 0.0, False, False),
        ([True, False, True, True, False], log2(0.03 / 0.01), False, False),
        ([False, False, False, True, True], log2(0.1 / 0.03), False, True),
    ],
)
def test_the_width_is_that_of_the_widest_run_and_open_where_the_grid_ends(
    serving: list[bool], octaves: float | None, open_below: bool, open_above: bool
) -> None:
    found = width_of([0.001, 0.003, 0.01, 0.03, 0.1], serving)
    assert found.octaves == (None if octaves is None else pytest.approx(octaves))
    assert (found.open_below, found.open_above) == (open_below, open_above)


def test_a_row_holds_its_details(cell: Cell, runs_dir: Path) -> None:
    """Hits at 20 and 40, a miss, and a death at 30; 10 steps are one epoch of 320 rows."""
    cell("none", [20, 40, None, 60], died={3: 30}, final={0: 0.97, 1: 0.95, 2: 0.5}, levels=(0.1, 0.96))
    details = row(board_of(runs_dir), "none").details
    rmst = (20 + 40 + 100 + 100) / 4
    assert details.expected_running_time == (20 + 40 + 100 + 100) / 2
    # 0.1 before and 0.96 from the hit on, in between linear: (100 − t + 5)/100 of the way up
    rises = [(100 - 20 + 5) / 100, (100 - 40 + 5) / 100, 0, 0]
    assert details.area_under_curve.mean == pytest.approx(0.1 + 0.86 * sum(rises) / 4)
    assert details.best.mean == pytest.approx((0.97 * 3 + 0.1) / 4)
    assert details.test.mean == pytest.approx((0.97 + 0.95 + 0.5 + 0.1) / 4)
    assert (details.stalled, details.spikes) == (1, 0)
    assert details.steps_iqr == pytest.approx(100 - 35)
    assert details.worst_tenth_steps == 100
    assert details.final_iqr == pytest.approx(iqr([0.97, 0.95, 0.5, 0.1]))
    assert details.epochs == pytest.approx(rmst / 10)
    assert details.samples == pytest.approx(rmst * 32)
    assert details.seconds is None


def test_details_are_none_where_they_are_not_known(cell: Cell, runs_dir: Path) -> None:
    cell("none", [None, None], targets=None, metric={"name": "ece", "direction": "min", "trivial": 0.0})
    details = row(board_of(runs_dir), "none").details
    assert details.expected_running_time is None
    assert (details.steps_iqr, details.worst_tenth_steps, details.epochs, details.samples) == (None,) * 4
    assert details.stalled == 0, "by ece the trivial predictor is good: nobody is at chance by it"
