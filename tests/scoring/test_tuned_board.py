"""The tuned track on a board: one workload whatever the learning rate, each entry at its own, doubtful choices told."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bnbench.errors import UserError
from bnbench.records.read import load_records
from bnbench.scoring import Board, answers, score
from bnbench.scoring.board import Row

TUNING = range(1_000_000, 1_000_003)
RATES = (0.01, 0.03, 0.1)
Times = Sequence[float | None]
Grid = Callable[..., None]


@pytest.fixture
def grid(cell: Callable[..., Path]) -> Grid:
    """Write an entry: per learning rate the times of its scored seeds, and the one time of its tuning seeds."""

    def write(entry: str, by_rate: dict[float, tuple[Times, float | None]], **options: Any) -> None:
        for rate, (scored, tuning) in by_rate.items():
            config = {"optimizer": {"name": "sgd", "lr": rate}, **options.get("config", {})}
            seeds = dict(enumerate(scored)) | (dict.fromkeys(TUNING, tuning) if tuning != -1 else {})
            told = {key: value for key, value in options.items() if key != "config"}
            cell(entry, seeds, config=config, **({"track": "tuned"} | told))

    return write


SLOW, FAST = [80, 90] * 4, [20, 30] * 4
MIDDLE = {0.01: (SLOW, 90), 0.03: (FAST, 20), 0.1: (SLOW, 90)}
EDGE = {0.01: (SLOW, 90), 0.03: (SLOW, 80), 0.1: (FAST, 20)}


def tuned(runs_dir: Path, **options: Any) -> Board:
    return score(load_records(runs_dir), **options)


def row(board: Board, entry: str, *, track: str = "tuned") -> Row:
    (found,) = [each for each in board.entries if (each.entry, each.track) == (entry, track)]
    return found


def test_one_workload_whatever_the_learning_rate_and_each_entry_at_its_own(grid: Grid, runs_dir: Path) -> None:
    grid("none", MIDDLE)
    grid("batch", EDGE)
    board = tuned(runs_dir)
    assert [(workload.workload, workload.target) for workload in board.workloads] == [("digits", 0.95)]
    assert {each.track for each in board.entries} == {"tuned"}
    none, batch = row(board, "none").tuning, row(board, "batch").tuning
    assert none is not None
    assert batch is not None
    assert (none.learning_rate, none.edge, none.num_rates, none.num_tuning_seeds) == (0.03, None, 3, 3)
    assert (batch.learning_rate, batch.edge) == (0.1, "largest")
    assert row(board, "batch").n_seeds == 8, "tuning seeds are never scored"
    assert row(board, "batch").speedup.estimate == 1


def test_a_choice_on_the_edge_is_told_in_the_verdict(grid: Grid, runs_dir: Path) -> None:
    grid("none", MIDDLE)
    grid("batch", EDGE)
    board = tuned(runs_dir)
    assert "; at lr 0.1, the largest tried: a larger one may be better." in row(board, "batch").verdict
    assert row(board, "none").verdict.endswith("; at lr 0.03.")
    assert any("learning rates chosen per entry among 0.01, 0.03, 0.1 on 3 tuning seed(s)" in n for n in board.notes)


def test_unequal_trials_are_told(grid: Grid, runs_dir: Path) -> None:
    grid("none", MIDDLE)
    grid("batch", {0.01: (SLOW, 90), 0.03: (FAST, 20)})
    board = tuned(runs_dir)
    assert "(unequal trials: 2 of 3 learning rates)" in row(board, "batch").verdict
    assert any("unequal trials: batch lacks 0.1." in note for note in board.notes)


def test_an_entry_without_tuning_seeds_is_named_and_not_scored(grid: Grid, runs_dir: Path) -> None:
    grid("none", MIDDLE)
    grid("batch", {0.01: (SLOW, -1), 0.03: (FAST, -1)})
    board = tuned(runs_dir)
    assert [each.entry for each in board.entries] == ["none"]
    assert any("batch has several learning rates and no tuning seed to choose one by" in note for note in board.notes)


def test_a_record_without_a_learning_rate_is_named(grid: Grid, cell: Callable[..., Path], runs_dir: Path) -> None:
    grid("none", MIDDLE)
    folder = cell("batch", FAST, config={"optimizer": {"name": "sgd"}}, track="tuned")
    assert any(item.path == folder and "no optimizer.lr" in item.reason for item in tuned(runs_dir).skipped)


def test_the_recipes_rate_stands_in_both_tracks(grid: Grid, runs_dir: Path) -> None:
    grid("none", MIDDLE, config={"recipe_lr": 0.01})
    grid("batch", EDGE, config={"recipe_lr": 0.01})
    board = tuned(runs_dir)
    assert [(workload.workload, workload.workload_id) for workload in board.workloads] == [
        ("digits", board.workloads[0].workload_id),
        ("digits", board.workloads[1].workload_id),
    ]
    assert row(board, "batch", track="recipe").steps_to_target.rmst == 85
    assert row(board, "batch").steps_to_target.rmst == 25
    assert row(board, "batch", track="recipe").tuning is None


@pytest.mark.parametrize(("track", "tracks", "workloads"), [("recipe", {"recipe"}, 3), ("tuned", {"tuned"}, 1)])
def test_a_track_can_be_asked_for(
    track: str, tracks: set[str], workloads: int, grid: Grid, cell: Callable[..., Path], runs_dir: Path
) -> None:
    """As a recipe every learning rate is a workload of its own."""
    grid("none", MIDDLE)
    grid("batch", EDGE)
    board = tuned(runs_dir, track=track)
    assert {each.track for each in board.entries} == tracks
    assert len(board.workloads) == workloads
    assert len({each.workload for each in board.workloads}) == workloads


def test_a_track_without_records_is_said(cell: Callable[..., Path], runs_dir: Path) -> None:
    cell("none", FAST)
    board = tuned(runs_dir, track="tuned")
    assert board.entries == ()
    assert any("no record of the tuned track can be scored" in note for note in board.notes)


def test_an_unknown_track_is_named_with_the_nearest(runs_dir: Path) -> None:
    with pytest.raises(UserError, match="unknown track 'tune': did you mean 'tuned'"):
        tuned(runs_dir, track="tune")


def test_seeds_trained_as_a_recipe_count_in_the_tuned_track_of_their_cell(
    grid: Grid, cell: Callable[..., Path], runs_dir: Path
) -> None:
    grid("none", {0.01: (SLOW, 90), 0.03: ([], 20)})
    cell("none", FAST, config={"optimizer": {"name": "sgd", "lr": 0.03}})
    assert row(tuned(runs_dir), "none").steps_to_target.rmst == 25


def test_two_versions_of_an_entry_are_tuned_apart(grid: Grid, runs_dir: Path) -> None:
    grid("none", MIDDLE)
    grid("batch", MIDDLE)
    grid("batch", EDGE, version=2)
    board = tuned(runs_dir)
    batches = [each for each in board.entries if each.norm == "batch"]
    assert len({each.entry for each in batches}) == 2
    assert sorted(each.tuning.learning_rate for each in batches if each.tuning) == [0.03, 0.1]


def test_the_board_and_the_answer_choose_alike(grid: Grid, runs_dir: Path) -> None:
    grid("none", MIDDLE)
    grid("batch", EDGE)
    (answer,) = answers(load_records(runs_dir).records)
    board = tuned(runs_dir)
    for contender in answer.contenders:
        tuning = row(board, contender.entry).tuning
        assert tuning is not None
        assert tuning.learning_rate == contender.choice.rate


def test_tunability_tells_how_seeds_ended_and_what_more_trials_are_worth(grid: Grid, runs_dir: Path) -> None:
    grid("none", {0.01: ([None] * 8, None), 0.03: (FAST, 20), 0.1: ([60, None] * 4, 60)}, levels=(0.1, 0.96))
    (told,) = tuned(runs_dir).tunability
    assert [(each.reached, each.slow, each.stalled, each.diverged) for each in told.rates] == [
        (0, 0, 8, 0),
        (8, 0, 0, 0),
        (4, 0, 4, 0),
    ]
    assert told.width_octaves == pytest.approx(1.736965594)  # log2(0.1/0.03)
    assert (told.open_below, told.open_above) == (False, True)
    # restricted means 25, 80, 100 in the order in which the tuning seeds choose; the pairs are {25, 80}, {25, 100} and
    # {80, 100}
    assert [each.rmst for each in told.best_of] == pytest.approx([(25 + 80 + 100) / 3, (25 + 25 + 80) / 3, 25])


def test_the_tuning_seeds_order_the_draws_and_the_scored_seeds_value_them(grid: Grid, runs_dir: Path) -> None:
    """Chosen is what was best on tuning seeds, even where it scores worst."""
    grid("none", {0.01: (SLOW, 20), 0.03: (FAST, 90)})
    (told,) = tuned(runs_dir).tunability
    assert told.learning_rate == 0.01
    assert [each.rmst for each in told.best_of] == [pytest.approx((85 + 25) / 2), 85]


def test_outcomes_at_a_rate_sum_to_its_seeds(grid: Grid, runs_dir: Path) -> None:
    """Seed 0 hits and dies later, seed 1 dies before, seed 2 learns and misses."""
    grid("none", {0.01: ([20, 60, None, 30], 50)}, died={0: 50, 1: 40}, levels=(0.5, 0.96))
    (rate,) = tuned(runs_dir).tunability[0].rates
    assert (rate.num_seeds, rate.reached, rate.diverged, rate.slow, rate.stalled) == (4, 2, 1, 1, 0)


def test_a_rate_that_was_tuned_and_has_no_scored_seed_is_said_and_is_no_edge(grid: Grid, runs_dir: Path) -> None:
    grid("none", MIDDLE)
    grid("batch", {0.01: ([], 20), 0.03: (FAST, 30), 0.1: (SLOW, 90)})
    grid("layer", {0.03: ([], 20)})
    board = tuned(runs_dir)
    batch = row(board, "batch")
    assert batch.tuning is not None
    assert (batch.tuning.learning_rate, batch.tuning.edge) == (0.03, None)
    notes = "\n".join(board.notes)
    assert "batch has tuning seeds and no scored seed at 0.01: what was tried there cannot be chosen" in notes
    assert "layer has tuning seeds and no scored seed at 0.03" in notes


def test_no_learning_rate_looks_good_by_seeds_that_were_lost(
    grid: Grid, cell: Callable[..., Path], runs_dir: Path
) -> None:
    """By ece the trivial predictor is calibrated: what a diverged seed counts as is not known."""
    options = {"metric": {"name": "ece", "direction": "min", "trivial": 0.0}, "final": 0.2}
    grid("none", MIDDLE, **options)
    grid("batch", MIDDLE, died={0: 10, 1: 10}, **options)
    (batch,) = [each for each in tuned(runs_dir).tunability if each.entry == "batch"]
    assert [each.final for each in batch.rates] == [None, None, None]


def test_that_every_rate_of_the_recipe_track_counts_across_workloads_is_said(grid: Grid, runs_dir: Path) -> None:
    for entry in ("none", "batch"):
        grid(entry, MIDDLE, config={"recipe_lr": 0.03})
    said = "every learning rate is a workload of its own, across workloads too"
    assert said in "\n".join(tuned(runs_dir, track="recipe").notes)
    assert said not in "\n".join(tuned(runs_dir).notes)
