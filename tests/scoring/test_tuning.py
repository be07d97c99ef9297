"""The learning rate is chosen by one rule for all, on seeds that are not scored."""

import numpy as np
import pytest

from bnbench.scoring import Choice, SeedFinals, Times, Trial, choose_rate, compare_finals

BUDGET = 100


def trial(rate: float, steps: list[float], finals: list[float], *, diverged: int = 0) -> Trial:
    times = Times(np.array(steps), np.array(steps) < BUDGET, BUDGET)
    return Trial(rate, times, np.array(finals), diverged)


SLOW = trial(0.01, [60.0, 80.0], [0.95, 0.95])
FAST = trial(0.1, [20.0, 40.0], [0.90, 0.90])
FASTEST_BUT_DIVERGED = trial(1.0, [10.0, 10.0], [0.1, 0.9], diverged=1)
NEVER = trial(0.001, [100.0, 100.0], [0.5, 0.6])
NEVER_BUT_BETTER = trial(0.003, [100.0, 100.0], [0.7, 0.6])


@pytest.mark.parametrize(
    ("trials", "chosen"),
    [
        ([SLOW, FAST, FASTEST_BUT_DIVERGED], Choice(0.1, None, 2)),
        ([NEVER, SLOW, FAST], Choice(0.1, "largest", 2)),
        ([FASTEST_BUT_DIVERGED], Choice(1.0, None, 2)),
        ([NEVER, NEVER_BUT_BETTER], Choice(0.003, "largest", 2)),  # none hits: the better at the end
        ([SLOW, trial(0.02, [60.0, 80.0], [0.95, 0.95])], Choice(0.01, "smallest", 2)),  # all equal: the smaller
    ],
)
def test_fewest_diverged_then_fastest_then_best_then_smallest(trials: list[Trial], chosen: Choice) -> None:
    assert choose_rate(trials, direction="max") == chosen
    assert choose_rate(trials[::-1], direction="max") == chosen


def test_without_a_target_the_best_at_the_end_is_chosen() -> None:
    trials = [Trial(0.1, None, np.array([3.0, 2.0]), 0), Trial(0.2, None, np.array([1.0, 2.0]), 0)]
    assert choose_rate(trials, direction="min").rate == 0.2
    assert choose_rate(trials, direction="max").rate == 0.1


def finals(*values: float, first: int = 0) -> SeedFinals:
    return SeedFinals(np.arange(first, first + len(values)), np.array(values))


BASE = (10.0, 11.0, 9.0, 10.0, 12.0, 10.0, 9.0, 9.0)  # mean 10, 90 from the trivial 100: the margin is 1.8


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ([value - 3 for value in BASE], "better"),
        ([value + 3 for value in BASE], "worse"),
        ([value + 0.5 for value in BASE], "no different"),  # real, and too small to matter
        ([value + shift for value, shift in zip(BASE, [9, -9] * 4, strict=True)], "not decided"),
        (list(BASE), "no different"),
    ],
)
def test_final_metric_better_worse_no_different_or_open(other: list[float], verdict: str) -> None:
    (found,) = compare_finals(finals(*BASE), [finals(*other)], direction="min", trivial=100.0)
    assert found is not None
    assert found.margin == pytest.approx(1.8)
    assert found.verdict == verdict


def test_final_metrics_of_several_entries_are_corrected_together() -> None:
    others = [finals(*(value + shift for value in BASE)) for shift in (-3.0, -4.0, -5.0, -6.0)]
    found = compare_finals(finals(*BASE), others, direction="min", trivial=100.0)
    assert [each.p_holm for each in found if each is not None] == [pytest.approx(4 * 2 / 2**8)] * 4


def test_without_a_trivial_value_nothing_is_called_no_different() -> None:
    (found,) = compare_finals(finals(*BASE), [finals(*(value + 0.5 for value in BASE))], direction="min", trivial=None)
    assert found is not None
    assert found.verdict == "worse"


def test_final_metrics_without_a_common_seed_are_not_compared() -> None:
    assert compare_finals(finals(1.0, 2.0), [finals(1.0, first=5)], direction="min", trivial=9.0) == [None]
