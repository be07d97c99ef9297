"""Splits: disjoint, complete, stratified, and decided by the data seed alone."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnbench.datasets import DatasetConfig
from bnbench.datasets.parts import PARTS
from bnbench.datasets.split import split_rows
from bnbench.datasets.table import Table
from bnbench.errors import UserError

MakeTable = Callable[..., Table]
MakeConfig = Callable[..., DatasetConfig]


# the fixtures are functions without state, so that one call per test is enough
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    num_rows=st.integers(40, 200),
    validation_fraction=st.floats(0.1, 0.4),
    test_fraction=st.floats(0.1, 0.4),
    data_seed=st.integers(0, 2**32 - 1),
)
def test_parts_are_disjoint_and_together_all_rows(
    classes: MakeTable,
    configure: MakeConfig,
    num_rows: int,
    validation_fraction: float,
    test_fraction: float,
    data_seed: int,
) -> None:
    config = configure(validation_fraction=validation_fraction, test_fraction=test_fraction, data_seed=data_seed)
    split = split_rows(classes(num_rows=num_rows), config=config)
    assert np.sort(np.concatenate([split.train, split.validation, split.test])).tolist() == list(range(num_rows))
    assert len(split.validation) == round(validation_fraction * num_rows)
    assert len(split.test) == round(test_fraction * num_rows)


def test_classes_have_equal_shares_in_every_part(classes: MakeTable, configure: MakeConfig) -> None:
    labels = np.repeat([0, 1, 2], [400, 80, 20])
    table = classes(num_rows=500, labels=labels)
    split = split_rows(table, config=configure())
    for rows, share in ((split.train, 0.6), (split.validation, 0.2), (split.test, 0.2)):
        assert np.bincount(labels[rows]).tolist() == [400 * share, 80 * share, 20 * share]


def test_same_data_seed_gives_the_same_rows_and_another_gives_others(classes: MakeTable, configure: MakeConfig) -> None:
    first, again, other = (split_rows(classes(), config=configure(data_seed=seed)) for seed in (0, 0, 1))
    for part in ("train", "validation", "test"):
        assert getattr(first, part).tolist() == getattr(again, part).tolist()
        assert getattr(first, part).tolist() != getattr(other, part).tolist()


def test_split_stays_what_it_was(classes: MakeTable, configure: MakeConfig) -> None:
    """A cell's data is its split too: a library that drew other rows would change every result."""
    split = split_rows(classes(num_rows=30), config=configure())
    assert split.validation.tolist() == [0, 13, 15, 22, 23, 29]
    assert split.test.tolist() == [1, 5, 9, 10, 17, 27]


def test_official_test_part_is_left_as_it_is(classes: MakeTable, configure: MakeConfig) -> None:
    table = classes(num_rows=60, num_official_test=12)
    split = split_rows(table, config=configure(test_fraction=None, validation_fraction=0.25))
    assert split.test.tolist() == list(range(48, 60))
    assert len(split.validation) == 12
    assert np.sort(np.concatenate([split.train, split.validation])).tolist() == list(range(48))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
@pytest.mark.parametrize("key", ["validation_fraction", "test_fraction"])
def test_fraction_out_of_range_is_refused_by_name(
    classes: MakeTable, configure: MakeConfig, key: str, fraction: float
) -> None:
    with pytest.raises(UserError, match=rf"^dataset\.{key}={fraction}: expected a share"):
        split_rows(classes(), config=configure(**{key: fraction}))


def test_fractions_that_leave_nothing_to_train_on_are_refused(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="together take 1 of the rows"):
        split_rows(classes(), config=configure(validation_fraction=0.5, test_fraction=0.5))


def test_fraction_for_an_official_test_part_is_refused(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="official test part of 12 rows; expected null"):
        split_rows(classes(num_official_test=12), config=configure(test_fraction=0.2))


def test_no_test_part_at_all_is_refused(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="has no official test part"):
        split_rows(classes(), config=configure(test_fraction=None))


def test_class_too_rare_to_stratify_is_named(classes: MakeTable, configure: MakeConfig) -> None:
    labels = np.repeat([0, 1, 2], [40, 18, 2])
    with pytest.raises(UserError, match="class 'c' has 2 rows, too few to be in each of 3 parts"):
        split_rows(classes(labels=labels), config=configure())


def test_class_without_rows_outside_the_official_test_part_is_named(classes: MakeTable, configure: MakeConfig) -> None:
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    table = classes(labels=labels, num_official_test=10)
    with pytest.raises(UserError, match="class 'c' has 0 rows"):
        split_rows(table, config=configure(test_fraction=None))


@pytest.mark.parametrize("num_rows", [2, 3, 5])
def test_too_few_rows_are_refused(amounts: MakeTable, configure: MakeConfig, num_rows: int) -> None:
    with pytest.raises(UserError, match=rf"{num_rows} rows leave 0 for the validation part; expected at least one"):
        split_rows(amounts(num_rows=num_rows), config=configure(validation_fraction=0.05))


def test_part_smaller_than_the_number_of_classes_is_refused(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="60 rows leave 6 for the validation part; expected one for each of 10 classes"):
        split_rows(classes(num_classes=10), config=configure(validation_fraction=0.1))


@pytest.mark.parametrize("data_seed", [-1, 2**32])
def test_data_seed_out_of_range_is_refused(classes: MakeTable, configure: MakeConfig, data_seed: int) -> None:
    with pytest.raises(UserError, match=rf"dataset\.data_seed={data_seed}: expected an integer from 0"):
        split_rows(classes(), config=configure(data_seed=data_seed))


def test_auto_is_stratified_for_classes_and_random_for_amounts(
    classes: MakeTable, amounts: MakeTable, configure: MakeConfig
) -> None:
    for table, rule in ((classes(), "stratified"), (amounts(), "random")):
        auto, named = (split_rows(table, config=configure(split=split)) for split in ("auto", rule))
        assert [getattr(auto, part).tolist() for part in PARTS] == [getattr(named, part).tolist() for part in PARTS]
        assert auto.rule == named.rule


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
# rows enough that chance leaves no class out of training
@given(num_rows=st.integers(60, 200), data_seed=st.integers(0, 2**32 - 1))
def test_random_rows_are_drawn_whatever_their_class(
    classes: MakeTable, configure: MakeConfig, num_rows: int, data_seed: int
) -> None:
    """The split of the same rows with other labels is the same."""
    config = configure(split="random", data_seed=data_seed)
    table = classes(num_rows=num_rows)
    split = split_rows(table, config=config)
    other = split_rows(classes(num_rows=num_rows, labels=table.labels[::-1].copy()), config=config)
    assert [getattr(split, part).tolist() for part in PARTS] == [getattr(other, part).tolist() for part in PARTS]
    assert np.sort(np.concatenate([split.train, split.validation, split.test])).tolist() == list(range(num_rows))
    assert len(split.test) == round(0.2 * num_rows)


def test_a_class_that_chance_leaves_out_of_training_is_named(classes: MakeTable, configure: MakeConfig) -> None:
    labels = np.array([0, 1] * 29 + [2, 0])
    seed = next(
        seed
        for seed in range(100)
        if 58 not in split_rows(classes(), config=configure(split="random", data_seed=seed)).train
    )
    with pytest.raises(UserError, match=r"class 'c' \(first in row 58\) has no row in the training part by .*random"):
        split_rows(classes(labels=labels), config=configure(split="random", data_seed=seed))


def test_amounts_cannot_be_stratified(amounts: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="split=stratified needs classes, and 'small' is regression; expected random"):
        split_rows(amounts(), config=configure(split="stratified"))


def test_unknown_rule_names_the_nearest(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match=r"dataset\.split=groupd: unknown rule; did you mean 'grouped'"):
        split_rows(classes(), config=configure(split="groupd"))
