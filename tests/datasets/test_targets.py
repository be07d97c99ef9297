"""The target ladder is one ladder whatever the unit of the metric."""

import pytest

from bnbench.datasets import target_ladder


@pytest.mark.parametrize("unit", [1e-9, 1e-5, 1.0, 1e6])
def test_rungs_close_their_share_of_the_gap_in_any_unit(unit: float) -> None:
    trivial, best = 0.0912345 * unit, 0.0212345 * unit
    ladder = target_ladder(trivial=trivial, best=best, direction="min", provenance="auto")
    shares = [(trivial - float(ladder[level])) / (trivial - best) for level in ("easy", "medium", "hard")]
    assert shares == pytest.approx([0.5, 0.8, 0.95], abs=5e-4)


def test_gap_far_below_the_values_keeps_its_rungs_apart() -> None:
    ladder = target_ladder(trivial=100.0002, best=100.0001, direction="min", provenance="auto")
    assert 100.0002 > float(ladder["easy"]) > float(ladder["medium"]) > float(ladder["hard"]) > 100.0001


def test_digits_that_separate_nothing_are_rounded_off() -> None:
    ladder = target_ladder(trivial=0.1, best=0.9777777, direction="max", provenance="auto")
    assert (ladder["easy"], ladder["medium"], ladder["hard"]) == (0.5389, 0.8022, 0.9339)
