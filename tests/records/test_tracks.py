"""A cell counts in the tracks it was asked for, whatever its records were trained for first."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bnbench.records import Record, in_tracks, load_records, tracks_of


@pytest.fixture
def record(write: Callable[..., Path], tmp_path: Path) -> Record:
    """A record of the recipe track, trained at learning rate 0.1."""
    write(tmp_path)
    (found,) = load_records(tmp_path).records
    return found


def tuned(record: Record, recipe_lr: float | None) -> Record:
    return replace(record, track="tuned", config={**record.config, "recipe_lr": recipe_lr})


@pytest.mark.parametrize(("recipe_lr", "tracks"), [(None, {"tuned"}), (0.3, {"tuned"}), (0.1, {"tuned", "recipe"})])
def test_a_tuned_record_is_also_the_recipe_at_its_rate(record: Record, recipe_lr: float, tracks: set[str]) -> None:
    assert tracks_of(record) == {"recipe"}
    assert tracks_of(tuned(record, recipe_lr)) == tracks


@pytest.mark.parametrize("asked", [{"recipe"}, {"tuned"}, {"recipe", "tuned"}])
@pytest.mark.parametrize("recipe_lr", [None, 0.1, "as recipe"])
def test_what_is_asked_decides_over_what_was_trained_for(
    record: Record, recipe_lr: float | str | None, asked: set[str]
) -> None:
    trained = record if isinstance(recipe_lr, str) else tuned(record, recipe_lr)
    (found,) = in_tracks([trained], {record.cell_id: asked})
    assert tracks_of(found) == asked


def test_a_cell_nobody_asks_for_keeps_the_tracks_of_all_its_records(record: Record) -> None:
    both = in_tracks([record, tuned(record, None)], {})
    assert [tracks_of(each) for each in both] == [{"recipe", "tuned"}] * 2


def test_a_foreign_record_without_a_learning_rate_keeps_its_track(record: Record) -> None:
    foreign = replace(record, identity={}, config={})
    assert in_tracks([foreign], {}) == [foreign]
