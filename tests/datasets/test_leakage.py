"""Leakage: equal rows across parts and features that spell the target out are reported, and nothing else is."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bnbench.datasets import DatasetConfig
from bnbench.datasets.leakage import find_leakage, hash_rows
from bnbench.datasets.parts import Split
from bnbench.datasets.prepare import prepare
from bnbench.datasets.split import split_rows
from bnbench.datasets.table import Table

MakeTable = Callable[..., Table]
MakeConfig = Callable[..., DatasetConfig]


def in_order(num_rows: int = 60) -> Split:
    """Three fifths, a fifth and a fifth of the rows, in their order."""
    first, second = num_rows * 3 // 5, num_rows * 4 // 5
    rows = np.arange(num_rows)
    return Split(rows[:first], rows[first:second], rows[second:])


def test_rows_that_differ_and_features_that_do_not_tell_leak_nothing(classes: MakeTable, amounts: MakeTable) -> None:
    assert find_leakage(classes(), in_order()) == ()
    # labels are 1e5 + 3e4 times the first of four features
    noisy = amounts().inputs + np.random.default_rng(1).normal(size=(60, 4)) * 0.1
    assert find_leakage(amounts(inputs=noisy), in_order()) == ()


def test_equal_rows_are_counted_and_the_first_pair_is_named(classes: MakeTable) -> None:
    inputs = classes().inputs.copy()
    inputs[40] = inputs[7]  # validation as in training, classes 1 and 1
    inputs[41] = inputs[9]  # classes 2 and 0
    inputs[50] = inputs[40]  # test as in both, class 2
    in_training, again, in_validation = find_leakage(classes(inputs=inputs), in_order())
    assert in_training == (
        "leakage: 2 of 12 validation rows are in the training part as well (the first: row 40 equals row 7); 50% of "
        "them with the same label there"
    )
    assert again.startswith(
        "leakage: 1 of 12 test rows are in the training part as well (the first: row 50 equals row 7)"
    )
    assert in_validation.startswith("leakage: 1 of 12 test rows are in the validation part")
    assert "row 50 equals row 40); 0% of them" in in_validation


def test_a_label_agrees_with_any_of_several_equal_rows(classes: MakeTable) -> None:
    inputs = classes().inputs.copy()
    inputs[[7, 8, 9, 40]] = inputs[7]
    (line,) = find_leakage(classes(inputs=inputs), in_order())
    assert "1 of 12" in line
    assert "100%" in line


def test_rows_have_the_numbers_they_had_before_others_were_left_out(classes: MakeTable) -> None:
    inputs = classes().inputs.copy()
    inputs[40] = inputs[7]
    (line,) = find_leakage(classes(inputs=inputs, row_numbers=np.arange(60) + 100), in_order())
    assert "row 140 equals row 107" in line


def test_rows_of_categories_and_gaps_are_equal_where_all_cells_are(classes: MakeTable) -> None:
    frame = pd.DataFrame(
        {
            "age": np.where(np.arange(60) % 2, np.nan, np.arange(60)),
            "city": pd.Categorical([f"c{row}" for row in range(60)]),
        }
    )
    assert find_leakage(classes(inputs=frame), in_order()) == ()
    frame.loc[41, "city"] = "c7"
    (line,) = find_leakage(classes(inputs=frame), in_order())
    assert "row 41 equals row 7" in line


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64, bool])
def test_hashes_are_equal_where_rows_are_and_only_there(dtype: Any) -> None:
    """Whole numbers as floats too, whose last bits are all zero."""
    rows = np.array([[row & 1, row >> 1 & 1, row >> 2 & 1, row >> 3 & 1, row >> 4 & 1] for row in range(32)]).astype(
        dtype
    )
    assert len(np.unique(hash_rows(rows))) == 32
    assert (hash_rows(rows[::-1]) == hash_rows(rows)[::-1]).all()
    many = np.random.default_rng(0).integers(0, 2, size=(20_000, 30)).astype(dtype)
    assert len(np.unique(hash_rows(many))) == len(np.unique(many, axis=0))


def test_zeros_of_both_signs_are_one() -> None:
    assert len(np.unique(hash_rows(np.array([[0.0, 1.0], [-0.0, 1.0]])))) == 1


def test_a_hash_is_not_taken_for_equality(classes: MakeTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnbench.datasets.leakage.hash_rows", lambda rows: np.zeros(len(rows), dtype=np.uint64))
    assert find_leakage(classes(), in_order()) == ()


CODES: dict[str, Callable[[np.ndarray], Any]] = {
    "equal": lambda labels: labels,
    "code": lambda labels: np.array([7.5, -1.0, 3.0])[labels],
    "names": lambda labels: pd.Categorical(np.array(["x", "y", "z"])[labels]),
}


@pytest.mark.parametrize("code", CODES)
def test_a_feature_that_is_a_code_of_the_class_is_named(classes: MakeTable, code: str) -> None:
    table = classes()
    frame = pd.DataFrame(table.inputs, columns=["a", "b", "c", "d"]).assign(told=CODES[code](table.labels))
    assert find_leakage(classes(inputs=frame), in_order()) == ("leakage: 'told': one value for each class",)


def test_a_feature_that_is_a_code_but_for_one_row_is_not(classes: MakeTable) -> None:
    labels = np.arange(3000) % 3
    told = labels.astype(float)
    told[1] = 0.0  # not among the rows looked at first
    noise = np.random.default_rng(0).normal(size=3000)
    table = classes(num_rows=3000, labels=labels, inputs=np.column_stack([noise, told]))
    assert find_leakage(table, in_order(3000)) == ()
    assert find_leakage(classes(num_rows=3000, labels=labels, inputs=np.column_stack([noise, labels])), in_order(3000))


@pytest.mark.parametrize("gaps", [False, True])
def test_a_feature_that_is_the_amount_in_other_units_is_named(amounts: MakeTable, gaps: bool) -> None:
    table = amounts()
    cents = -table.labels * 100 + np.random.default_rng(0).normal(size=60) * 1e3
    frame = pd.DataFrame(
        {"noise": np.random.default_rng(1).normal(size=60), "cents": np.where(np.arange(60) % 5 < gaps, np.nan, cents)}
    )
    assert find_leakage(amounts(inputs=frame), in_order()) == ("leakage: 'cents': the target in other units",)
    assert find_leakage(amounts(inputs=frame[["noise"]]), in_order()) == ()


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_feature_in_the_order_of_the_amount_is_named(amounts: MakeTable, falling: bool, gaps: bool) -> None:
    labels = amounts().labels
    score = np.exp((labels - labels.mean()) / labels.std()) * (-1 if falling else 1)
    swapped = score.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    missing = np.arange(60) % 5 < gaps
    inputs = pd.DataFrame({"score": np.where(missing, np.nan, score), "swapped": swapped, "one": 1.0})
    expected = ("leakage: 'score': in the order of the target in every row",)
    assert find_leakage(amounts(inputs=inputs), in_order()) == expected


def test_equal_amounts_with_other_numbers_are_no_order(amounts: MakeTable) -> None:
    labels = np.arange(60) // 2 + 0.0
    inputs = pd.DataFrame({"rows": np.exp(np.arange(60.0) / 9), "squares": (1 + labels) ** 3})
    expected = ("leakage: 'squares': in the order of the target in every row",)
    assert find_leakage(amounts(labels=labels, inputs=inputs), in_order())[-1:] == expected


def test_a_feature_without_a_name_has_its_number(classes: MakeTable) -> None:
    table = classes()
    told = np.column_stack([table.inputs, table.labels])
    assert find_leakage(classes(inputs=told), in_order()) == ("leakage: 'column 4': one value for each class",)


def test_what_leaks_is_in_the_report_and_training_goes_on(classes: MakeTable, configure: MakeConfig) -> None:
    table = classes()
    split = split_rows(table, config=configure())
    inputs = table.inputs.copy()
    inputs[split.test[0]] = inputs[split.train[0]]
    report = prepare(classes(inputs=inputs), config=configure()).report
    assert any(line.startswith("leakage: 1 of 12 test rows") for line in report)


def test_seventy_thousand_images_take_little_time(classes: MakeTable) -> None:
    """A fifth of a second where it was written; the limit only tells it from comparing every row with every other."""
    inputs = np.random.default_rng(0).integers(0, 256, size=(70_000, 784), dtype=np.uint8)
    table = classes(num_rows=70_000, inputs=inputs)
    start = time.perf_counter()
    assert find_leakage(table, in_order(70_000)) == ()
    assert time.perf_counter() - start < 5
