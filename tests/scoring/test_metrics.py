"""What a board makes of each metric: its units, the values it can take, and what a lost seed counts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bnbench.metric_facts import METRICS, facts_of
from bnbench.records import load_records
from bnbench.reports.cells import metric_text
from bnbench.scoring import score
from bnbench.scoring.board import Final, Workload
from bnbench.scoring.verdict import Wording

Cell = Callable[..., Path]

SCORING_PAGE = Path(__file__).parents[2] / "docs" / "scoring.md"


def workload_of(metric: str) -> Workload:
    return Workload("digits", "0123456789ab", metric, facts_of(metric).direction, 0.5, "hard", "pool", 600, 20)


@pytest.mark.parametrize("metric", METRICS)
def test_only_accuracies_are_shown_in_per_cent(metric: str) -> None:
    in_per_cent = metric in ("accuracy", "balanced_accuracy")
    assert metric_text(0.5, workload_of(metric)) == ("50 %" if in_per_cent else "0.5")
    goal = Wording(metric, 0.5, False, 600, "none").goal
    assert goal == {"accuracy": "50 %", "balanced_accuracy": "balanced_accuracy 50 %"}.get(metric, f"{metric} 0.5")


def test_metric_of_a_stranger_is_shown_as_it_is() -> None:
    assert metric_text(-2.5, workload_of("perplexity_of_mine")) == "-2.5"


def final_of(cell: Cell, runs_dir: Path, metric: str, **changes: object) -> Final:
    described = {"name": metric, "direction": METRICS[metric].direction, "trivial": 0.25}
    cell("none", [50, 50], metric=described, targets=None, **changes)
    (row,) = score(load_records(runs_dir)).entries
    return row.final


@pytest.mark.parametrize("metric", METRICS)
def test_interval_of_the_final_value_stays_where_the_metric_can_be(metric: str, cell: Cell, runs_dir: Path) -> None:
    """Of two values as far apart the interval would reach beyond -5 and 6."""
    low, high = METRICS[metric].possible
    final = final_of(cell, runs_dir, metric, final={0: 0.0, 1: 1.0})
    assert final.mean == 0.5
    assert (final.low == low) == (low == 0)
    assert (final.high == high) == (high == 1)


@pytest.mark.parametrize("metric", METRICS)
def test_lost_seed_counts_as_knowing_nothing_unless_that_is_good_by_the_metric(
    metric: str, cell: Cell, runs_dir: Path
) -> None:
    final = final_of(cell, runs_dir, metric, final=0.75, died={1: 20})
    assert final.mean == (None if metric == "ece" else 0.5)
    assert final.counted_trivial == 1


@pytest.mark.parametrize("metric", METRICS)
def test_page_on_scoring_says_what_a_metric_is(metric: str) -> None:
    (line,) = [line for line in SCORING_PAGE.read_text().splitlines() if line.startswith(f"| `{metric}` |")]
    _, _, labels, better, _, _ = line.split("|", 5)
    facts = METRICS[metric]
    assert labels.strip() == {"classification": "classes", "regression": "amounts"}[facts.kind]
    assert better.strip() == {"max": "more", "min": "less"}[facts.direction]
