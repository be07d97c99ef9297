"""Splits by a column: groups stay whole, time is never crossed, what is given is taken."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnbench.datasets import DatasetConfig
from bnbench.datasets.parts import PARTS, Split
from bnbench.datasets.split import split_rows
from bnbench.datasets.table import Table
from bnbench.errors import UserError

MakeTable = Callable[..., Table]
MakeConfig = Callable[..., DatasetConfig]

# the fixtures are functions without state, so that one call per test is enough
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
fractions = st.floats(0.1, 0.4)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture
def split_by(amounts: MakeTable, configure: MakeConfig) -> Callable[..., Split]:
    """Split rows with these values in the split column."""

    def split(rule: str, values: Any, **changes: Any) -> Split:
        config = configure(split=rule, split_column="by", metric="rmse", direction="min", **changes)
        values = np.asarray(values)
        return split_rows(amounts(num_rows=len(values), split_values=values), config=config)

    return split


def rows_of(split: Split) -> list[list[int]]:
    return [getattr(split, part).tolist() for part in PARTS]


def assert_disjoint_and_complete(split: Split, *, num_rows: int) -> None:
    assert sorted(row for rows in rows_of(split) for row in rows) == list(range(num_rows))
    assert all(rows == sorted(rows) and rows for rows in rows_of(split))


@with_fixtures
@given(
    groups=st.lists(st.integers(0, 30), min_size=3, max_size=200).filter(lambda groups: len(set(groups)) >= 3),
    validation_fraction=fractions,
    test_fraction=fractions,
    data_seed=seeds,
)
def test_groups_are_whole_and_shares_as_near_as_they_allow(
    split_by: Callable[..., Split],
    groups: list[int],
    validation_fraction: float,
    test_fraction: float,
    data_seed: int,
) -> None:
    arguments = {"validation_fraction": validation_fraction, "test_fraction": test_fraction, "data_seed": data_seed}
    split = split_by("grouped", groups, **arguments)
    assert_disjoint_and_complete(split, num_rows=len(groups))
    found = [{groups[row] for row in rows} for rows in rows_of(split)]
    assert sum(map(len, found)) == len(set(groups)), "no group is in two parts"
    largest = np.bincount(groups).max()
    for part, fraction in (("validation", validation_fraction), ("test", test_fraction)):
        assert abs(len(getattr(split, part)) - fraction * len(groups)) <= 2 * largest
    assert rows_of(split_by("grouped", groups, **arguments)) == rows_of(split)


def test_many_small_groups_give_the_shares_asked_for(split_by: Callable[..., Split]) -> None:
    split = split_by("grouped", np.arange(1000) // 4)
    assert [len(rows) for rows in rows_of(split)] == [600, 200, 200]


def test_another_data_seed_gives_other_groups(split_by: Callable[..., Split]) -> None:
    groups = [f"patient {row // 5}" for row in range(100)]
    assert rows_of(split_by("grouped", groups)) != rows_of(split_by("grouped", groups, data_seed=1))


def test_grouped_split_stays_what_it_was(split_by: Callable[..., Split]) -> None:
    """A cell's data is its split too."""
    split = split_by("grouped", np.arange(30) % 10)
    assert (split.validation.tolist(), split.test.tolist()) == ([0, 6, 10, 16, 20, 26], [5, 7, 15, 17, 25, 27])


def test_draws_of_groups_that_train_every_class_are_preferred(classes: MakeTable, configure: MakeConfig) -> None:
    """The rare class is in two of twelve groups: most seeds would leave it out of training now and then."""
    groups = np.arange(60) // 5
    labels = np.where(np.isin(groups, [0, 1]), 1, 0)
    table = classes(labels=labels, class_names=("a", "b"), split_values=groups)
    for seed in range(40):
        split = split_rows(table, config=configure(split="grouped", split_column="by", data_seed=seed))
        assert set(labels[split.train]) == {0, 1}


@with_fixtures
@given(
    times=st.lists(st.integers(0, 40), min_size=3, max_size=200).filter(lambda times: len(set(times)) >= 3),
    validation_fraction=fractions,
    test_fraction=fractions,
)
def test_time_is_never_crossed(
    split_by: Callable[..., Split], times: list[int], validation_fraction: float, test_fraction: float
) -> None:
    arguments = {"validation_fraction": validation_fraction, "test_fraction": test_fraction}
    split = split_by("time", times, **arguments)
    assert_disjoint_and_complete(split, num_rows=len(times))
    train, validation, test = ([times[row] for row in rows] for rows in rows_of(split))
    assert max(train) < min(validation)
    assert max(validation) < min(test)
    assert rows_of(split_by("time", times, **arguments, data_seed=1)) == rows_of(split), "nothing is drawn"


def test_times_without_ties_give_the_shares_asked_for(split_by: Callable[..., Split]) -> None:
    split = split_by("time", np.random.default_rng(0).permutation(100))
    assert [len(rows) for rows in rows_of(split)] == [60, 20, 20]


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2024-01-01", periods=60).to_numpy(),
        pd.date_range("2024-01-01", periods=60).astype(str).to_numpy(dtype=object),
        pd.date_range("2024-01-01", periods=60, tz="Europe/Oslo").to_numpy(),
        np.array([str(row) for row in range(60)], dtype=object),
        np.arange(60) / 7,
    ],
    ids=["dates", "text of dates", "dates of a zone", "text of numbers", "numbers"],
)
def test_time_may_be_written_in_many_ways(split_by: Callable[..., Split], times: Any) -> None:
    split = split_by("time", times)
    assert [rows[0] for rows in rows_of(split)] == [0, 36, 48]


def test_the_rule_says_from_when_on(split_by: Callable[..., Split]) -> None:
    rule = split_by("time", pd.date_range("2024-01-01", periods=60).to_numpy()).rule
    assert rule == "by the order of 'by': validation from 2024-02-06 on, test from 2024-02-18 on"
    assert "validation from 36 on" in split_by("time", np.arange(60)).rule


@pytest.mark.parametrize(
    "spelling",
    [
        ("train", "validation", "test"),
        ("Training", " VALID ", "Testing"),
        ("train", "val", "test"),
        ("train", "dev", "test"),
    ],
)
def test_parts_are_taken_as_given(split_by: Callable[..., Split], spelling: tuple[str, str, str]) -> None:
    given_parts = np.array(spelling, dtype=object)[[0, 1, 0, 2, 2, 0, 1, 0]]
    assert rows_of(split_by("given", given_parts, test_fraction=None)) == [[0, 2, 5, 7], [1, 6], [3, 4]]


def test_a_missing_validation_part_is_drawn_from_training_and_said(classes: MakeTable, configure: MakeConfig) -> None:
    given_parts = np.repeat(["train", "test"], [45, 15])
    table = classes(split_values=given_parts)
    config = configure(split="given", split_column="by")
    split = split_rows(table, config=config)
    assert split.test.tolist() == list(range(45, 60))
    assert np.bincount(table.labels[split.validation]).tolist() == [3, 3, 3]
    assert_disjoint_and_complete(split, num_rows=60)
    assert "no validation part: drawn from the training part" in split.rule
    assert rows_of(split_rows(table, config=config)) == rows_of(split)
    assert rows_of(split_rows(table, config=configure(split="given", split_column="by", data_seed=1))) != rows_of(split)


def test_a_validation_part_is_drawn_where_a_class_is_too_rare_for_equal_shares(
    classes: MakeTable, configure: MakeConfig
) -> None:
    labels = np.array([0, 1] * 20 + [2])
    table = classes(num_rows=41, labels=labels, split_values=np.array(["train"] * 30 + ["test"] * 10 + ["train"]))
    split = split_rows(table, config=configure(split="given", split_column="by"))
    assert len(split.validation) == 6
    assert 40 in split.train


REFUSED: dict[str, tuple[str, Any, str]] = {
    "two groups": ("grouped", [0, 1] * 30, "column 'by' holds 2 groups; expected one for each of 3"),
    "two times": ("time", [0, 1] * 30, "split=time: column 'by' holds 2 different times"),
    "no time": (
        "time", np.array(["2024-01-01"] * 7 + ["soon"] * 53, dtype=object), "'by' has 'soon' in row 7; .* 2024-05-31"
    ),
    "another word": (
        "given", np.array(["train", "test", "holdout"] * 20), "has .*'holdout'.* in row 2; expected train, val"
    ),
    "no test": ("given", np.array(["train"] * 60), "split=given: column 'by' puts no row into the test part"),
    "no train": ("given", np.array(["test", "val"] * 30), "split=given: column 'by' puts no row into the train part"),
    "a gap": ("time", np.where(np.arange(60) == 5, np.nan, 1.0), "'by' is missing in 1 rows, the first of them row 5"),
    "too few to draw from": (
        "given", np.array(["train"] * 2 + ["test"] * 58), "2 training rows leave 0 for the validation part"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_column_that_cannot_split_is_refused(split_by: Callable[..., Split], what: str) -> None:
    rule, values, message = REFUSED[what]
    with pytest.raises(UserError, match=message):
        split_by(rule, values)


@pytest.mark.parametrize(("rule", "by"), [("time", np.arange(60)), ("given", np.repeat(["train", "val", "test"], 20))])
def test_a_class_that_is_never_trained_on_is_named(
    classes: MakeTable, configure: MakeConfig, rule: str, by: Any
) -> None:
    labels = np.repeat([0, 1, 2], [15, 30, 15])
    with pytest.raises(UserError, match=rf"class 'c' \(first in row 45\) has no row in the training part by .*{rule}"):
        split_rows(classes(labels=labels, split_values=by), config=configure(split=rule, split_column="by"))


@pytest.mark.parametrize("rule", ["grouped", "time", "given"])
def test_a_rule_without_its_column_is_refused(classes: MakeTable, configure: MakeConfig, rule: str) -> None:
    with pytest.raises(UserError, match=rf"split={rule}: 'small' has no column .*split_column=NAME"):
        split_rows(classes(), config=configure(split=rule))


@pytest.mark.parametrize("rule", ["grouped", "time", "given"])
def test_an_official_test_part_is_not_split_again(classes: MakeTable, configure: MakeConfig, rule: str) -> None:
    table = classes(num_official_test=12, split_values=np.arange(60))
    config = configure(split=rule, split_column="by", test_fraction=None)
    with pytest.raises(UserError, match=rf"split={rule}: 'small' has an official test part; expected auto"):
        split_rows(table, config=config)


@pytest.mark.parametrize("rule", ["auto", "random", "stratified"])
def test_a_column_without_a_rule_that_uses_it_is_refused(classes: MakeTable, configure: MakeConfig, rule: str) -> None:
    with pytest.raises(UserError, match=rf"split_column=by has no effect with dataset\.split={rule}"):
        split_rows(classes(), config=configure(split=rule, split_column="by"))
