"""Tables from Python: what they are taken for, and what is refused."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from bnbench.datasets import from_arrays
from bnbench.errors import UserError

X = np.random.default_rng(0).normal(size=(120, 3))


@pytest.mark.parametrize(
    ("y", "num_classes"),
    [
        (np.arange(120) % 2 == 0, 2),
        (np.arange(120) % 3, 3),
        ((np.arange(120) % 32).astype(np.uint8), 32),
        (np.array(["low", "high"] * 60), 2),
        (["low", "middle", "high"] * 40, 3),
        (pd.Series(["low", "high"] * 60, dtype="category"), 2),
        (pd.Series(["low", "high"] * 60), 2),
        ((np.arange(120) % 2)[:, None], 2),
    ],
    ids=["bool", "integers", "uint8", "text", "list", "category", "series", "column"],
)
def test_few_names_are_classes(y: Any, num_classes: int) -> None:
    task = from_arrays(X, y, validation_fraction=0.3, test_fraction=0.3)
    assert (task.kind, task.num_outputs, task.metric_name, task.direction) == (
        "classification",
        num_classes,
        "accuracy",
        "max",
    )


@pytest.mark.parametrize(
    "y",
    [X[:, 0], np.arange(120), np.arange(120) % 41, (np.arange(120) % 2).astype(float), torch.arange(120.0)],
    ids=["real", "distinct integers", "many integers", "float", "tensor"],
)
def test_amounts_are_regression(y: Any) -> None:
    task = from_arrays(X, y)
    assert (task.kind, task.num_outputs, task.metric_name, task.direction) == ("regression", 1, "rmse", "min")


@pytest.mark.parametrize(
    "of_numbers",
    [lambda v: v.astype(object), lambda v: [Decimal(repr(each)) for each in v.tolist()], pd.Series],
    ids=["objects", "decimals", "series"],
)
def test_numbers_are_numbers_in_whatever_they_come(of_numbers: Any) -> None:
    expected = from_arrays(X, X[:, 0])
    found = from_arrays(X.astype(object), of_numbers(X[:, 0]))
    assert (found.kind, found.checksum) == ("regression", expected.checksum)


def test_masked_values_are_missing() -> None:
    masked = np.ma.array(X, mask=X > 1)
    assert from_arrays(masked, X[:, 0]).checksum == from_arrays(np.where(X > 1, np.nan, X), X[:, 0]).checksum
    with pytest.raises(UserError, match=f"{int((X[:, 0] > 1).sum())} labels are missing"):
        from_arrays(X, masked[:, 0])


def test_labels_with_the_index_in_another_order_are_refused() -> None:
    frame, y = pd.DataFrame(X), pd.Series(X[:, 0])
    with pytest.raises(UserError, match=r"the same index in another order.*y\.loc\[X\.index\]"):
        from_arrays(frame.sample(frac=1, random_state=0), y)
    # a part of a table and labels that were numbered anew
    assert from_arrays(frame.iloc[60:], y.iloc[60:].reset_index(drop=True)).kind == "regression"


def test_kind_decides_otherwise() -> None:
    assert from_arrays(X, np.arange(120) % 3, kind="regression").kind == "regression"
    assert from_arrays(X, (np.arange(120) % 3).astype(float), kind="classification").num_outputs == 3


def test_labels_are_indices_of_the_sorted_classes() -> None:
    y = np.where(X[:, 0] > 0, "yes", "no")
    task = from_arrays(X, y, preprocessing="none")
    assert torch.equal(task.train_labels, (task.train_inputs[:, 0] > 0).long())


def test_frame_and_array_of_the_same_numbers_are_the_same_task() -> None:
    y = np.arange(120) % 3
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    assert from_arrays(frame, y).checksum == from_arrays(X, y).checksum


def test_frame_of_mixed_numbers_is_read() -> None:
    frame = pd.DataFrame({"a": np.arange(120), "b": X[:, 0] > 0, "c": pd.array([1.5] * 119 + [2.5], dtype="Float64")})
    assert from_arrays(frame, np.arange(120) % 3, preprocessing="none").num_features == 3


def test_same_data_seed_gives_the_same_task_and_another_another() -> None:
    y = np.arange(120) % 3
    first, again, other = (from_arrays(X, y, data_seed=seed).checksum for seed in (0, 0, 1))
    assert first == again != other


def test_columns_that_are_neither_numbers_nor_categories_are_named() -> None:
    frame = pd.DataFrame(
        {"rooms": np.arange(120), "note": [f"flat {row}" for row in range(120)], "sold": pd.Timestamp("2020-01-01")}
    )
    with pytest.raises(UserError, match=r"'sold' \(dates or times\), 'note' \(120 .*ignore_columns=\[sold,note\]"):
        from_arrays(frame, np.arange(120) % 3)


@pytest.mark.parametrize("dtype", ["float64", "Float64"])
def test_missing_value_is_filled_in_and_said_to_be_missing(dtype: str) -> None:
    frame = pd.DataFrame(X, columns=["rooms", "age", "area"]).astype({"age": dtype})
    frame.loc[:20, "age"] = None
    task = from_arrays(frame, np.arange(120) % 3, preprocessing="none")
    assert task.feature_names == ("rooms", "age", "area", "age is missing")
    inputs = task.train_inputs.numpy()
    missing = inputs[:, 3] == 1
    assert 0 < missing.sum() < 21
    median = np.float32(np.median(X[:, 1][np.isin(X[:, 1].astype(np.float32), inputs[~missing, 1])]))
    assert set(inputs[missing, 1]) == {median}
    assert any("missing numbers in 'age'" in line for line in task.report)


def test_an_array_with_gaps_is_the_same_task_as_its_frame() -> None:
    gaps = np.where(X > 1, np.nan, X)
    assert (
        from_arrays(gaps, np.arange(120) % 3).checksum == from_arrays(pd.DataFrame(gaps), np.arange(120) % 3).checksum
    )


def test_text_becomes_a_feature_per_category() -> None:
    cities = np.array(["Oslo", "Rome", "Lima"])[np.arange(120) % 3]
    task = from_arrays(pd.DataFrame({"area": X[:, 0], "city": cities}), cities)
    assert task.feature_names == ("area", "city=Lima", "city=Oslo", "city=Rome")
    assert (task.train_inputs[:, 1:].argmax(1) == task.train_labels).all()
    assert any("'city': one value for each class" in line for line in task.report)


@pytest.mark.parametrize("value", [np.inf, -1e39])
def test_infinite_value_is_named_by_column_and_row(value: float) -> None:
    frame = pd.DataFrame(X, columns=["rooms", "age", "area"])
    frame.loc[3, "rooms"] = np.nan
    frame.loc[7, "age"] = value
    with pytest.raises(UserError, match="column 'age' has 1 infinite or too large values, the first in row 7"):
        from_arrays(frame, np.arange(120) % 3)


@pytest.mark.parametrize(
    "y",
    [
        np.where(np.arange(120) == 5, np.nan, X[:, 0]),
        ["a", "b", "a", "b", "a", None] * 20,
        pd.Series(["a", "b", "a", "b", "a", pd.NA] * 20, dtype="string"),
        pd.Series([1, 2, 1, 2, 1, pd.NA] * 20, dtype="Int64"),
    ],
    ids=["NaN", "None", "NA text", "NA integer"],
)
def test_missing_label_is_named_by_row(y: Any) -> None:
    with pytest.raises(UserError, match="labels are missing, the first in row 5"):
        from_arrays(X, y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X.astype(str), np.arange(120) % 3, "X holds <U32, expected numbers"),
        (X[:, 0], np.arange(120) % 3, r"a single feature is X\[:, None\]"),
        ([[1.0], [1.0, 2.0]], [0, 1], "X is no array"),
        (X, np.zeros((120, 2)), r"y has shape \(120, 2\), expected one label per row"),
        (X, [], r"y has shape \(0,\)"),
        (X, np.arange(100) % 3, r"labels of shape \(100,\) for 120 rows"),
        (torch.tensor(X, requires_grad=True), np.arange(120) % 3, "X is no array: .*requires grad"),
        (torch.tensor(X).bfloat16(), np.arange(120) % 3, "X is no array: .*BFloat16"),
        (X, np.array([1, "a"] * 60, dtype=object), "the labels are of types that have no common order"),
        (X, np.full(120, np.datetime64("2020-01-01")), r"y holds datetime64\[D\], which regression cannot learn"),
        (X[:2], [0.0, 1.0], "2 rows leave 0 for the validation part"),
        (X[:4], ["a", "b", "a", "b"], "4 rows leave 1 for the validation part; expected one for each of 2 classes"),
        (X, ["a"] * 120, "y holds one class only, 'a': nothing can be learned"),
        (X, np.arange(120).astype(str), "120 rows leave 72 for the training part; expected one for each of 120"),
    ],
    ids=[
        "text",
        "1-D",
        "ragged",
        "2-D y",
        "empty y",
        "length",
        "gradient",
        "bfloat16",
        "mixed",
        "dates",
        "two rows",
        "four rows",
        "one class",
        "names",
    ],
)
def test_what_is_no_table_is_refused(x: Any, y: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_arrays(x, y)


def test_text_for_regression_is_refused() -> None:
    with pytest.raises(UserError, match="which regression cannot learn"):
        from_arrays(X, ["low", "high"] * 60, kind="regression")


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UserError, match="kind='regresion'; did you mean 'regression'"):
        from_arrays(X, X[:, 0], kind="regresion")  # type: ignore[arg-type]
