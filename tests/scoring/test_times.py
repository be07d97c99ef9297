"""Rule "time to target": the first evaluation that meets the target, censored at the budget."""

import numpy as np
import pytest

from bnbench.scoring.times import Times, time_to_target

STEPS = np.array([0, 10, 20, 30, 40])
NAN = np.nan


def one(values: list[float], **options: object) -> tuple[float, bool]:
    settings = {"target": 0.9, "direction": "max", "budget": 40, **options}
    times = time_to_target(STEPS, np.array([values]), **settings)  # type: ignore[arg-type]
    return float(times.steps[0]), bool(times.reached[0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([0.1, 0.5, 0.9, 0.95, 0.99], (20, True), id="first-evaluation-that-meets-it"),
        pytest.param([0.1, 0.92, 0.3, 0.3, 0.3], (10, True), id="a-hit-stays-a-hit"),
        pytest.param([0.1, 0.2, 0.3, 0.4, 0.5], (40, False), id="never-is-censored-at-the-budget"),
        pytest.param([0.1, 0.2, 0.3, 0.4, 0.9], (40, True), id="at-the-budget-is-a-hit"),
        pytest.param([0.95, 0.2, 0.3, 0.4, 0.5], (0, True), id="before-the-first-step"),
        pytest.param([0.1, NAN, NAN, 0.9, 0.9], (30, True), id="nan-never-meets-a-target"),
        pytest.param([0.1, np.inf, 0.2, 0.2, 0.2], (40, False), id="infinity-never-meets-a-target"),
    ],
)
def test_first_evaluation_that_meets_the_target(values: list[float], expected: tuple[float, bool]) -> None:
    assert one(values) == expected


def test_a_metric_to_minimise_is_met_from_below() -> None:
    assert one([2.0, 1.2, 0.9, 1.5, 0.1], direction="min") == (20, True)
    assert one([2.0, -np.inf, 1.5, 1.5, 1.5], direction="min") == (40, False)


@pytest.mark.parametrize(
    ("consecutive", "expected"),
    [(1, (10, True)), (2, (30, True)), (3, (40, False))],
    ids=["one", "two", "cut-by-budget"],
)
def test_consecutive_evaluations_count_from_the_first_of_them(consecutive: int, expected: tuple[float, bool]) -> None:
    assert one([0.1, 0.9, 0.2, 0.9, 0.9], consecutive=consecutive) == expected


@pytest.mark.parametrize(
    ("died", "expected"),
    [
        pytest.param(15.0, (40, False), id="died-before-its-hit-is-a-miss-at-T"),
        pytest.param(20.0, (40, False), id="died-at-its-hit-is-a-miss"),
        pytest.param(25.0, (20, True), id="hit-and-died-later-is-a-hit"),
        pytest.param(NAN, (20, True), id="never-died"),
    ],
)
def test_a_diverged_seed_counts_only_up_to_its_death(died: float, expected: tuple[float, bool]) -> None:
    assert one([0.1, 0.5, 0.9, 0.9, 0.9], diverged_at_step=np.array([died])) == expected


def test_seeds_do_not_mix() -> None:
    values = np.array([[0, 1, 1, 1, 1], [0, 0, 0, 0, 0], [0, 0, 0, 1, 1.0]])
    times = time_to_target(STEPS, values, target=1, direction="max", budget=40)
    assert times.steps.tolist() == [10, 40, 30]
    assert times.reached.tolist() == [True, False, True]
    assert not times.all_missed
    assert times.any_missed


@pytest.mark.parametrize(("options", "match"), [({"direction": "up"}, "'up'"), ({"consecutive": 0}, "is 0")])
def test_nonsense_is_refused(options: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        one([0.0] * 5, **options)


def test_take_keeps_the_pairs_in_the_given_order() -> None:
    times = Times(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]), 3.0).take(np.array([2, 0]))
    assert times.steps.tolist() == [3.0, 1.0]
    assert times.reached.tolist() == [True, True]
