"""Encoding: numbers and categories become one matrix by what the training part tells, and nothing else."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from bnbench.datasets import DatasetConfig
from bnbench.datasets.encoding import fit_encoding
from bnbench.datasets.prepare import prepare
from bnbench.datasets.preprocessing import PREPROCESSINGS
from bnbench.datasets.split import split_rows
from bnbench.datasets.table import Table
from bnbench.errors import UserError

MakeTable = Callable[..., Table]
MakeConfig = Callable[..., DatasetConfig]


def mixed(num_rows: int = 60) -> pd.DataFrame:
    """Two columns of numbers and two of categories, one of each with gaps."""
    stream = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "area": stream.normal(size=num_rows) * 1e3,
            "age": np.where(stream.random(num_rows) < 0.3, np.nan, stream.normal(size=num_rows)),
            "city": pd.Categorical(stream.choice(["Lima", "Oslo", "Rome"], num_rows)),
            "heating": pd.Categorical(np.where(stream.random(num_rows) < 0.3, None, "gas")),
        }
    )


def test_every_column_is_encoded_as_its_type() -> None:
    frame = mixed()
    encoding, encoded = fit_encoding(frame, name="homes")
    assert encoding.feature_names == (
        "area",
        "age",
        "age is missing",
        "city=Lima",
        "city=Oslo",
        "city=Rome",
        "heating=gas",
        "heating=(missing)",
    )
    assert encoding.is_amount.tolist() == [True, True] + [False] * 6
    missing = frame["age"].isna()
    expected = np.column_stack(
        [
            frame["area"],
            frame["age"].fillna(frame["age"].median()),
            missing,
            *(frame["city"] == city for city in ("Lima", "Oslo", "Rome")),
            frame["heating"] == "gas",
            frame["heating"].isna(),
        ]
    )
    np.testing.assert_array_equal(encoded, expected.astype(float))
    np.testing.assert_array_equal(encoding.encode(frame), encoded)


def test_a_category_that_training_has_not_seen_is_none_of_those_it_has() -> None:
    frame = pd.DataFrame({"city": pd.Categorical(["Lima", "Rome"] * 5 + ["Oslo", None])})
    encoding, _ = fit_encoding(frame.iloc[:10], name="homes")
    assert encoding.feature_names == ("city=Lima", "city=Rome")
    assert encoding.encode(frame.iloc[10:]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_gap_that_training_has_not_seen_is_the_median() -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0, 9.0, np.nan]})
    encoding, _ = fit_encoding(frame.iloc[:3], name="homes")
    assert encoding.encode(frame.iloc[3:]).tolist() == [[2.0]]


def test_columns_without_a_value_in_training_are_left_out_and_named() -> None:
    frame = pd.DataFrame(
        {"age": [np.nan, np.nan, 3.0], "pool": pd.Categorical([None, None, "yes"]), "area": [1.0, 2.0, 3.0]}
    )
    encoding, encoded = fit_encoding(frame.iloc[:2], name="homes")
    assert encoding.feature_names == ("area",)
    assert encoded.tolist() == [[1.0], [2.0]]
    assert encoding.notes == ("left out: 'age', 'pool', without any value in the training part",)
    with pytest.raises(UserError, match="data set 'homes': no column has a value in the training part"):
        fit_encoding(frame[["age", "pool"]].iloc[:2], name="homes")


def test_names_that_look_like_encoded_ones_do_no_harm() -> None:
    frame = pd.DataFrame({"city=Rome": [1.0, 2.0], "city": pd.Categorical(["Rome", "Rome"])})
    assert fit_encoding(frame, name="homes")[1].tolist() == [[1.0, 1.0], [2.0, 1.0]]


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("preprocessing", sorted({*PREPROCESSINGS.names()} - {"scale"}))
def test_training_tensors_do_not_know_the_other_parts(
    classes: MakeTable, configure: MakeConfig, preprocessing: str, part: str
) -> None:
    """Neither their numbers and gaps nor their categories."""
    config = configure(preprocessing=preprocessing)
    table = classes(inputs=mixed())
    rows = getattr(split_rows(table, config=config), part)
    perturbed = mixed()
    perturbed["city"] = perturbed["city"].cat.add_categories(["Ulm"])
    perturbed.iloc[rows, 0] *= -1e5
    perturbed.iloc[rows, 1] = np.nan
    perturbed.iloc[rows, 2] = "Ulm"
    perturbed.iloc[rows, 3] = None
    before, after = (prepare(classes(inputs=frame), config=config) for frame in (mixed(), perturbed))
    assert torch.equal(after.train_inputs, before.train_inputs)
    assert after.feature_names == before.feature_names
    assert not torch.equal(getattr(after, f"{part}_inputs"), getattr(before, f"{part}_inputs"))


@pytest.mark.parametrize("preprocessing", ["standardize", "quantile"])
def test_encoded_features_stay_zero_or_one_where_numbers_are_scaled(
    classes: MakeTable, configure: MakeConfig, preprocessing: str
) -> None:
    task = prepare(classes(inputs=mixed()), config=configure(preprocessing=preprocessing))
    raw = prepare(classes(inputs=mixed()), config=configure(preprocessing="none"))
    assert torch.equal(task.train_inputs[:, 2:], raw.train_inputs[:, 2:])
    assert set(task.train_inputs[:, 2:].flatten().tolist()) == {0.0, 1.0}
    assert abs(task.train_inputs[:, 0].mean()) < 0.2


@pytest.mark.parametrize("preprocessing", ["standardize", "quantile"])
def test_a_table_of_categories_alone_is_left_as_it_is(
    classes: MakeTable, configure: MakeConfig, preprocessing: str
) -> None:
    frame = mixed()[["city", "heating"]]
    tasks = [prepare(classes(inputs=frame), config=configure(preprocessing=each)) for each in (preprocessing, "none")]
    assert torch.equal(tasks[0].test_inputs, tasks[1].test_inputs)


def test_whitening_and_centring_take_all_features(classes: MakeTable, configure: MakeConfig) -> None:
    centred = prepare(classes(inputs=mixed()), config=configure(preprocessing="center"))
    assert centred.train_inputs[:, 2:].mean(dim=0).abs().max() < 1e-6
    whitened = prepare(classes(inputs=mixed()), config=configure(preprocessing="whiten"))
    # of the features of a category one is told by the others
    assert whitened.num_features == centred.num_features - 2


def test_a_table_is_described(classes: MakeTable, configure: MakeConfig) -> None:
    report = prepare(classes(inputs=mixed().assign(year=2020.0)), config=configure()).report
    columns, numbers, categories, constant, target, split = report
    assert columns == "60 rows, 5 columns: 3 of numbers, 2 of categories ('city' 3, 'heating' 1); encoded to 9 features"
    assert numbers == "missing numbers in 'age': the median of training, and a feature that says so"
    assert categories == "missing categories in 'heating': a category of their own"
    assert constant == "1 constant in the training part: 'year'"
    assert target == "classification: 3 classes of 33.33% of the rows each"
    assert split.startswith("split: 36 training, 12 validation, 12 test rows; at random with equal shares of every")
    assert split.endswith("(dataset.split=auto, data_seed=0)")
