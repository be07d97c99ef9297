"""Columns of a frame: what they are read as, what is left out and said, and what is refused by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bnbench.datasets import DatasetConfig
from bnbench.datasets.columns import read_inputs, table_from_frame
from bnbench.datasets.prepare import prepare
from bnbench.errors import UserError

MakeConfig = Callable[..., DatasetConfig]
ROWS = 60


@pytest.fixture
def homes(configure: MakeConfig) -> MakeConfig:
    """The configuration of a file of homes whose prices are predicted; arguments change it."""
    return lambda **changes: configure(
        **{"name": "homes", "source": "file", "metric": None, "direction": None, "target_column": "price"} | changes
    )


def frame(**columns: Any) -> pd.DataFrame:
    """Homes with an area and a price, and other columns."""
    area = np.random.default_rng(0).normal(size=ROWS)
    return pd.DataFrame({"area": area, **columns, "price": 1e5 + 3e4 * area**2})


def alternating(*values: Any) -> list[Any]:
    return [values[row % len(values)] for row in range(ROWS)]


READ_AS: dict[str, tuple[Any, list[Any]]] = {
    "integers": (alternating(1, 2, 3), [1.0, 2.0, 3.0]),
    "booleans": (alternating(True, False), [1.0, 0.0]),
    "booleans with gaps": (alternating(True, None, False), [1.0, np.nan, 0.0]),
    "integers with gaps": (pd.array(alternating(1, None), dtype="Int64"), [1.0, np.nan]),
    "text of numbers": (alternating("1.5", " 2", "", None), [1.5, 2.0, np.nan, np.nan]),
    "text": (alternating("gas", " oil ", "gas ", None, " "), ["gas", "oil", "gas", None, None]),
    "categories of numbers": (pd.Categorical(alternating(2, 1)), ["2", "1"]),
    "numbers and names": (alternating("a", 1, "b"), ["a", "1", "b"]),
    "words for true": (alternating("True", "False"), ["True", "False"]),
    "decimals": (np.array(alternating(0.5, 1), dtype=object), [0.5, 1.0]),
}


@pytest.mark.parametrize("what", READ_AS)
def test_a_column_is_read_as_what_it_holds(what: str) -> None:
    values, expected = READ_AS[what]
    # a column with a gap beside it, so that the frame stays one
    read = read_inputs(pd.DataFrame({"given": values, "gap": alternating(1.0, None)}), name="homes").values
    assert isinstance(read, pd.DataFrame)
    found = read["given"].astype(object).where(read["given"].notna(), None).tolist()[: len(expected)]
    assert found == [None if pd.isna(value) else value for value in expected]
    assert isinstance(read["given"].dtype, pd.CategoricalDtype) == isinstance(expected[0], str)


def test_columns_of_complete_numbers_are_an_array(homes: MakeConfig) -> None:
    table = table_from_frame(frame(rooms=alternating(1, 2), sold=alternating(True, False)), homes())
    assert isinstance(table.inputs, np.ndarray)
    assert table.feature_names == ("area", "rooms", "sold")


def test_columns_of_numbers_are_categories_where_asked_for(homes: MakeConfig) -> None:
    columns = {"zone": alternating(3, 11), "rooms": alternating(1, 2, None)}
    table = table_from_frame(frame(**columns), homes(categorical_columns=["zone", "rooms"]))
    assert isinstance(table.inputs, pd.DataFrame)
    assert table.inputs["zone"].cat.categories.tolist() == ["11", "3"]
    assert table.inputs["rooms"].cat.categories.tolist() == ["1", "2"], "as written, though a gap made floats of them"


@pytest.mark.parametrize("target", ["price", 2, "2", -1])
def test_the_target_is_found_by_name_or_number(homes: MakeConfig, target: Any) -> None:
    table = table_from_frame(frame(rooms=alternating(1, 2)), homes(target_column=target))
    assert table.labels.min() >= 1e5


def test_columns_without_names_have_numbers(homes: MakeConfig) -> None:
    nameless = frame(rooms=alternating(1, 2)).set_axis([0, 1, 2], axis=1)
    config = homes(target_column=-1, ignore_columns=["1"])
    assert table_from_frame(nameless, config).feature_names == ("0",)


def test_what_is_left_out_is_said(homes: MakeConfig) -> None:
    given = frame(pool=[None] * ROWS, note=alternating("a", "b"), year=alternating("1990", "2000"))
    given.loc[[4, 9], "price"] = np.nan
    table = table_from_frame(given, homes(ignore_columns=["note"]))
    assert table.feature_names == ("area", "year")
    assert table.notes == (
        "left out: 'note' (dataset.ignore_columns)",
        "left out: 2 of 60 rows, whose target 'price' is missing, the first of them row 4",
        "left out: 'pool', without any value",
        "numbers stored as text, read as numbers: 'year'",
    )


def test_a_column_that_only_numbers_the_rows_is_pointed_out(homes: MakeConfig) -> None:
    rows = np.arange(ROWS)
    table = table_from_frame(frame(Id=rows + 1, year=2000 + rows // 2), homes())
    assert table.notes == ("'Id' only numbers the rows; dataset.ignore_columns=[Id] leaves it out",)
    assert table.feature_names == ("area", "Id", "year")


def test_rows_keep_their_numbers_and_values_where_others_are_left_out(homes: MakeConfig) -> None:
    given = frame(order=np.arange(ROWS))
    given.loc[[0, 4, 9], "price"] = np.nan
    table = table_from_frame(given, homes(split="time", split_column="order"))
    kept = np.delete(np.arange(ROWS), [0, 4, 9])
    assert table.row_numbers is not None
    assert table.row_numbers.tolist() == kept.tolist()
    assert table.split_values is not None
    assert table.split_values.tolist() == kept.tolist()
    np.testing.assert_array_equal(table.inputs[:, 0], given["area"].to_numpy()[kept])
    np.testing.assert_array_equal(table.labels, given["price"].to_numpy()[kept])
    given.loc[20, "area"] = np.inf
    with pytest.raises(
        UserError, match="column 0 'area' has 1 missing, infinite or too large values, the first in row 20"
    ):
        table_from_frame(given, homes(split="time", split_column="order"))


def test_a_bad_cell_is_named_by_its_row_in_the_file_where_rows_before_it_are_left_out(homes: MakeConfig) -> None:
    given = frame(rooms=[*range(ROWS - 1), "?"])
    given.loc[[0, 4], "price"] = np.nan
    with pytest.raises(UserError, match=r"'rooms' has '\?' in row 59"):
        table_from_frame(given, homes())


TARGETS: dict[str, tuple[Any, dict[str, Any], str, tuple[str, ...]]] = {
    "amounts": (np.linspace(0, 1, ROWS), {}, "regression", ()),
    "names": (alternating("no", "yes", "yes"), {}, "classification", ("no", "yes")),
    "booleans": (alternating(True, False), {}, "classification", ("False", "True")),
    "few whole numbers": (alternating(3, 1), {}, "classification", ("1", "3")),
    "few whole numbers with gaps": ([*alternating(3, 1)[:-1], None], {}, "classification", ("1", "3")),
    "booleans with gaps": ([*alternating(True, False)[:-1], None], {}, "classification", ("False", "True")),
    "floats": (alternating(3.0, 1.0), {}, "regression", ()),
    "floats as asked for": (alternating(3.0, 1.0), {"kind": "classification"}, "classification", ("1.0", "3.0")),
    "whole numbers beyond float64": (
        alternating(2**60 + 1, 2**60), {}, "classification", (str(2**60), str(2**60 + 1))
    ),
    "unsigned beyond int64": (
        np.array(alternating(2**63 + 9, 2**63), dtype=np.uint64), {}, "classification", (str(2**63), str(2**63 + 9))
    ),
    "many whole numbers": (np.arange(ROWS), {}, "regression", ()),
    "text of whole numbers": (alternating("3", "1"), {}, "classification", ("1", "3")),
    "text of amounts": ([f"{row}.5" for row in range(ROWS)], {}, "regression", ()),
    "a few words among numbers": (
        [*alternating("1", "2")[:-2], "x", "x"], {"kind": "classification"}, "classification", ("1", "2", "x")
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TARGETS)
def test_the_target_tells_the_kind(homes: MakeConfig, what: str) -> None:
    values, changes, kind, names = TARGETS[what]
    table = table_from_frame(frame(target=values), homes(target_column="target", **changes))
    assert (table.kind, table.class_names) == (kind, names)
    if kind == "classification":
        first = str(values[0])
        assert table.class_names[table.labels[0]] in (first, f"{first}.0")


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no target": ({}, {"target_column": None}, "name the column to predict; choose from: area, price"),
    "unknown target": ({}, {"target_column": "prize"}, "target_column=prize: no such column; did you mean 'price'"),
    "number beyond the columns": ({}, {"target_column": 7}, "target_column=7: no such column"),
    "unknown ignored column": ({}, {"ignore_columns": ["aera"]}, "ignore_columns=aera: no such.*mean 'area'"),
    "ignored target": ({}, {"ignore_columns": ["price"]}, "ignore_columns: 'price' is the target column"),
    "target splits": ({}, {"split_column": "price"}, "split_column: 'price' is the target column"),
    "target of names": ({}, {"categorical_columns": ["price"]}, "is the target column; expected dataset.kind=class"),
    "nothing left": ({}, {"ignore_columns": ["area"]}, "no column with a value is left to predict from"),
    "text in a numeric column": (
        {"rooms": [*range(ROWS - 2), "n. k.", "?"]},
        {},
        r"numeric column: 'rooms' has 'n\. k\.' in row 58 and 2 such cells .* 97% .*categorical_columns=\[rooms\]",
    ),
    "text in a numeric target": (
        {"target": [*range(ROWS - 1), "?"]}, {"target_column": "target"}, "in row 59.*kind=classification"
    ),
    "dates": ({"sold": pd.date_range("2020", periods=ROWS)}, {}, r"'sold' \(dates or times\).*ignore_columns=\[sold\]"),
    "objects of dates": (
        {"sold": [stamp.date() for stamp in pd.date_range("2020", periods=ROWS)]}, {}, r"'sold' \(dates or times\)"
    ),
    "durations": ({"open": pd.to_timedelta(np.arange(ROWS), unit="D")}, {}, r"'open' \(dates or times\)"),
    "lists": ({"rooms": [[1, 2]] * ROWS}, {}, r"'rooms' \(lists or objects\)"),
    "complex numbers": ({"z": np.ones(ROWS) * 1j}, {}, r"'z' \(complex numbers\)"),
    "names": (
        {"owner": [f"owner {row}" for row in range(ROWS)]},
        {},
        r"'owner' \(60 different values in 60 rows: names or text.*ignore_columns=\[owner\]",
    ),
    "dates as the target": (
        {"sold": pd.date_range("2020", periods=ROWS)}, {"target_column": "sold"}, "target column 'sold' holds dates"
    ),
    "no target at all": ({"target": [None] * ROWS}, {"target_column": "target"}, "'target' holds no value in any row"),
    "one class": ({"target": ["a"] * ROWS}, {"target_column": "target"}, "column 'target' holds one class only, 'a'"),
    "infinite target": (
        {"target": [*np.arange(ROWS - 1.0), np.inf]}, {"target_column": "target"}, "1 labels are .*the first in row 59"
    ),
    "names to regress on": (
        {"target": alternating("a", "b")},
        {"target_column": "target", "kind": "regression"},
        "the target column 'target' holds text, which regression cannot learn",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_named(homes: MakeConfig, what: str) -> None:
    columns, changes, message = REFUSED[what]
    with pytest.raises(UserError, match=message):
        table_from_frame(frame(**columns), homes(**changes))


def test_whole_numbers_that_lose_digits_are_pointed_out(homes: MakeConfig) -> None:
    table = table_from_frame(frame(key=[2**60 + row for row in range(ROWS)], year=[2000] * ROWS), homes())
    (note,) = (note for note in table.notes if "2^53" in note)
    assert "beyond 2^53 in 'key': their last digits are lost" in note


def test_every_column_that_cannot_be_read_is_in_one_message(homes: MakeConfig) -> None:
    given = frame(owner=[f"owner {row}" for row in range(ROWS)], sold=pd.date_range("2020", periods=ROWS))
    with pytest.raises(UserError, match=r"2 columns are neither.*ignore_columns=\[sold,owner\]"):
        table_from_frame(given, homes())


def test_ten_thousand_categories_are_refused_with_their_number() -> None:
    codes = np.arange(30_000) % 10_000
    given = pd.DataFrame({"zip": [f"zip {code}" for code in codes]})
    message = r"'zip' \(10000 different values, more than the 1000 .*ignore_columns=\[zip\]"
    with pytest.raises(UserError, match=message):
        read_inputs(given, name="homes")
    with pytest.raises(UserError, match=message):
        read_inputs(pd.DataFrame({"zip": codes}), name="homes", categorical_columns=["zip"])


def test_a_thousand_categories_and_a_few_in_a_short_table_are_taken() -> None:
    many = pd.DataFrame({"zip": [f"zip {row % 1000}" for row in range(2000)]})
    assert read_inputs(many, name="homes").feature_names == ("zip",)
    short = pd.DataFrame({"city": [f"city {row}" for row in range(30)]})
    assert read_inputs(short, name="homes").feature_names == ("city",)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a", "price"], "'a': two columns of that name"),
        (pd.MultiIndex.from_product([["a"], ["b", "c", "d"]]), "several levels"),
    ],
)
def test_names_that_do_not_name_a_column_are_refused(homes: MakeConfig, names: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        table_from_frame(frame(rooms=1.0).set_axis(names, axis=1), homes())


def test_a_file_of_everything_is_prepared_and_described(homes: MakeConfig) -> None:
    given = frame(rooms=alternating(1, None, 3), heating=alternating("gas", "oil", None), sold=alternating(True, False))
    task = prepare(table_from_frame(given, homes()), config=homes())
    assert (task.kind, task.metric_name, task.direction, task.loss) == ("regression", "rmse", "min", "mse")
    assert task.report[0].startswith("60 rows, 4 columns: 3 of numbers, 1 of categories ('heating' 2); encoded to 7")
    assert any(line.startswith("regression: from 1e+05 to") for line in task.report)
