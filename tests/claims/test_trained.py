"""What claims that train make of records: curves by seed, lost seeds, steps to a level; hand-worked numbers."""

from collections.abc import Mapping, Sequence
from math import inf, nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from bnbench.claims.measurements import measurement
from bnbench.claims.trained import (
    Trained,
    best_rate,
    curve,
    named,
    rate_in_words,
    ratio_of_steps,
    ratio_to_slower,
    steps_to,
    trained,
)
from bnbench.errors import UserError
from bnbench.records import Record, diagnostics_file
from bnbench.scoring.times import Times

EVERY, LAST = 10, 20
STEPS = (0, 10, 20)


def record_of(
    curves: Mapping[int, Sequence[float]],
    *,
    norm: str = "batch",
    rate: float = 0.1,
    tested: float | None = 0.7,
    max_steps: int = LAST,
    diagnostics: Sequence[tuple[int, int, str, str, float]] | str = (),
) -> Record:
    """Return what a record shows to its readers; a seed with fewer values than evaluations diverged after them."""
    rows = [(seed, step, value) for seed, values in curves.items() for step, value in zip(STEPS, values, strict=False)]
    columns = dict(zip(("seed", "step", "val_accuracy"), map(np.array, zip(*rows, strict=True)), strict=True))
    columns["train_loss"] = np.where(columns["step"] == 0, nan, 1 - columns["val_accuracy"])
    seeds = [
        {
            "seed": seed,
            "status": "finished" if len(values) == len(STEPS) else "diverged",
            "final": {"test_accuracy": tested},
            "max_loss": 2.5,
        }
        for seed, values in curves.items()
    ]
    names = ("seed", "step", "layer", "name", "value")
    table = (
        diagnostics
        if isinstance(diagnostics, str)
        else diagnostics_file.to_table(dict(zip(names, zip(*diagnostics, strict=True), strict=True)))
        if diagnostics
        else diagnostics_file.SCHEMA.empty_table()
    )
    shown: dict[str, Any] = {
        "path": Path("seeds-0-1"),
        "norm": norm,
        "config": {"optimizer": {"lr": rate}, "budget": {"max_steps": max_steps, "eval_every_steps": EVERY}},
        "metric": {"name": "accuracy", "direction": "max", "trivial": 0.1},
        "seeds": seeds,
        "history": lambda names: {name: columns[name] for name in names},
        "read_diagnostics": lambda: table,
    }
    return cast(Record, SimpleNamespace(**shown))


def run_of(curves: Mapping[int, Sequence[float]], **options: Any) -> Trained:
    return trained([record_of(curves, **options)])[0]


def test_seeds_that_were_trained_at_different_times_are_one_run() -> None:
    run = run_of({3: (0.1, 0.4, 0.8)})
    joined = trained([record_of({3: (0.1, 0.4, 0.8)}), record_of({1: (0.2, 0.5, 0.6)})])
    assert [each.seeds.tolist() for each in joined] == [[1, 3]]
    assert joined[0].metric.tolist() == [[0.2, 0.5, 0.6], [0.1, 0.4, 0.8]]
    assert run.steps.tolist() == [0, 10, 20]
    assert run.train_loss[0, 1:] == pytest.approx([0.6, 0.2])


def test_a_seed_that_diverged_counts_as_the_trivial_predictor_and_its_loss_as_infinite() -> None:
    run = run_of({0: (0.1, 0.9), 1: (0.1, 0.5, 0.8)})
    assert run.metric[0].tolist()[:2] == [0.1, 0.9]
    assert np.isnan(run.metric[0, 2])
    assert run.final.tolist() == [0.1, 0.8]
    assert run.score.tolist() == [0.1, 0.7]
    assert run.largest_loss.tolist() == [inf, 2.5]


def test_where_every_seed_diverged_at_once_the_evaluations_are_still_those_of_the_budget() -> None:
    run = run_of({0: (0.1,)}, tested=None)
    assert run.steps.tolist() == [0, 10, 20]
    assert run.score.tolist() == [0.1]


def test_runs_of_other_seeds_or_budgets_are_no_pairs() -> None:
    one, two = record_of({0: (0.1, 0.4, 0.8)}), record_of({1: (0.1, 0.4, 0.8)}, norm="none")
    with pytest.raises(ValueError, match=r"none at 0\.1 and batch at 0\.1 are no pairs"):
        trained([one, two])
    with pytest.raises(ValueError, match="no pairs"):
        trained([one, record_of({0: (0.1, 0.4, 0.8)}, rate=0.5, max_steps=30)])


def test_the_best_rate_is_that_of_the_best_mean_at_the_end_and_the_smaller_in_a_tie() -> None:
    runs = trained(
        [
            record_of({0: (0.1, 0.9, 0.6), 1: (0.1, 0.9, 0.6)}, rate=0.4),
            record_of({0: (0.1, 0.2, 0.8), 1: (0.1, 0.2, 0.5)}, rate=0.2),
            record_of({0: (0.1, 0.2, 0.65), 1: (0.1, 0.2, 0.65)}, rate=0.8),
            record_of({0: (0.1, 0.2, 0.99), 1: (0.1, 0.2, 0.99)}, norm="none"),
        ]
    )
    assert [run.rate for run in named(runs, "batch")] == [0.2, 0.4, 0.8]
    assert best_rate(runs, "batch").rate == 0.2  # 0.65, as at 0.8; the peak of 0.9 at 0.4 did not last
    assert rate_in_words(best_rate(runs, "batch"), runs) == "0.2, the smallest tried"
    assert [rate_in_words(run, runs) for run in runs[1:]] == ["0.4", "0.8, the largest tried", "0.1"]
    with pytest.raises(ValueError, match="no runs of 'layer' among those of"):
        best_rate(runs, "layer")


def test_steps_are_counted_to_each_seed_s_own_level() -> None:
    run = run_of({0: (0.1, 0.5, 0.8), 1: (0.1, 0.5, 0.8), 2: (0.1, 0.5)})
    times = steps_to(run, np.array([0.5, 0.6, 0.6]))
    assert times.steps.tolist() == [10, 20, 20]
    assert times.reached.tolist() == [True, True, False]
    by_loss = steps_to(run, np.array([-0.5, -0.2, -0.6]), values=-run.train_loss)
    assert by_loss.steps.tolist() == [10, 20, 10]


def test_a_ratio_of_steps_is_open_towards_what_was_not_reached() -> None:
    def times(*steps: float, missed: int = 0) -> Times:
        return Times(np.array(steps), np.arange(len(steps)) >= missed, 40.0, 1.0)

    whole = ratio_of_steps(times(40, 36, 44), times(10, 9, 11))
    assert whole.estimate == pytest.approx(4.0)
    assert whole.low is not None
    assert whole.high is not None
    assert whole.low < 4.0 < whole.high
    assert ratio_of_steps(times(40, 40, 40, missed=1), times(10, 9, 11)).high is None
    assert ratio_of_steps(times(10, 9, 11), times(40, 40, 40, missed=1)).low is None
    nothing = ratio_of_steps(times(40, 40, missed=2), times(40, 40, missed=2))
    assert (nothing.estimate, nothing.low, nothing.high) == (None, None, None)


def test_a_planted_slower_entry_is_slower_by_what_it_was_planted_with() -> None:
    planted = ratio_to_slower(np.array([10.0, 30.0, 20.0]), times_slower=4.0)
    assert (planted.estimate, planted.low, planted.high) == pytest.approx((0.25, 0.25, 0.25))


def test_a_curve_leaves_out_what_is_not_known() -> None:
    drawn = curve("batch", (1.0, 2.0, 3.0), np.array([[1.0, nan, nan], [3.0, 5.0, nan]]))
    assert drawn.x == (1.0, 2.0)
    assert drawn.y == (2.0, 5.0)
    assert drawn.low is not None
    # Student's t of two values, 12.706 · √2 / √2, and wider by √(n / (n − 1)) as all our intervals
    assert drawn.low == pytest.approx((2 - 12.706 * 2**0.5, 5.0), abs=1e-3)


def test_a_measurement_of_one_layer_is_put_in_the_places_of_its_seeds_and_steps() -> None:
    curves = {0: (0.1, 0.5, 0.8), 1: (0.1, 0.5, 0.8)}
    rows = [
        (1, 20, "hidden.2", "unit_p50", 0.25),
        (0, 0, "hidden.2", "unit_p50", 0.5),
        (0, 0, "hidden.1", "unit_p50", 9.0),
        (0, 0, "hidden.2", "unit_p15", 9.0),
        (7, 0, "hidden.2", "unit_p50", 9.0),  # a seed that another copy of the record holds
    ]
    records = [record_of(curves, diagnostics=rows), record_of(curves, norm="none", diagnostics="it is damaged")]
    found = measurement(records, run_of(curves), name="unit_p50", layer="hidden.2")
    assert np.array_equal(found, [[0.5, nan, nan], [nan, nan, 0.25]], equal_nan=True)
    with pytest.raises(UserError, match=r"hold no unit_p99 of hidden\.2"):
        measurement(records, run_of(curves), name="unit_p99", layer="hidden.2")
    with pytest.raises(UserError, match="it is damaged"):
        measurement(records, run_of(curves, norm="none"), name="unit_p50", layer="hidden.2")
