"""Preprocessing: the formula each name promises, with statistics of the training part only."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import norm as normal
from sklearn.decomposition import PCA

from bnbench.datasets import DatasetConfig
from bnbench.datasets.prepare import prepare
from bnbench.datasets.preprocessing import PREPROCESSINGS
from bnbench.datasets.split import split_rows
from bnbench.datasets.table import Table
from bnbench.errors import UserError

MakeTable = Callable[..., Table]
MakeConfig = Callable[..., DatasetConfig]


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("preprocessing", PREPROCESSINGS.names())
def test_training_tensors_do_not_know_the_other_parts(
    classes: MakeTable, configure: MakeConfig, preprocessing: str, part: str
) -> None:
    config = configure(preprocessing=preprocessing)
    table = classes(maximum=9.0)
    rows = getattr(split_rows(table, config=config), part)
    perturbed = table.inputs.copy()
    perturbed[rows] = 1e6 * perturbed[rows] - 7.0
    before = prepare(table, config=config)
    after = prepare(classes(maximum=9.0, inputs=perturbed), config=config)
    assert torch.equal(after.train_inputs, before.train_inputs)
    # every row is another: not every value, because quantiles end where the training part does
    assert not (getattr(after, f"{part}_inputs") == getattr(before, f"{part}_inputs")).all(dim=1).any()


@pytest.mark.parametrize("part", ["validation", "test"])
def test_training_targets_do_not_know_the_other_parts(amounts: MakeTable, configure: MakeConfig, part: str) -> None:
    config = configure(metric="rmse", direction="min")
    table = amounts()
    labels = table.labels.copy()
    labels[getattr(split_rows(table, config=config), part)] *= 10
    before, after = (prepare(given, config=config) for given in (table, amounts(labels=labels)))
    assert (after.train_labels == before.train_labels).all()
    assert after.label_scale == before.label_scale
    assert not (getattr(after, f"{part}_labels") == getattr(before, f"{part}_labels")).any()


@pytest.mark.parametrize(
    ("preprocessing", "formula"),
    [
        ("none", lambda inputs, train: inputs),
        ("center", lambda inputs, train: inputs - train.mean(axis=0)),
        ("standardize", lambda inputs, train: (inputs - train.mean(axis=0)) / train.std(axis=0)),
        ("scale", lambda inputs, train: inputs / 9.0),
    ],
)
def test_every_part_follows_the_formula(
    classes: MakeTable,
    configure: MakeConfig,
    preprocessing: str,
    formula: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    config = configure(preprocessing=preprocessing)
    table = classes(maximum=9.0)
    split = split_rows(table, config=config)
    task = prepare(table, config=config)
    for part in ("train", "validation", "test"):
        expected = formula(table.inputs[getattr(split, part)], table.inputs[split.train])
        # float64 throughout, rounded to float32 once
        np.testing.assert_allclose(getattr(task, f"{part}_inputs").numpy(), expected, rtol=2e-7, atol=1e-12)


def test_whitened_training_inputs_have_the_identity_for_covariance(classes: MakeTable, configure: MakeConfig) -> None:
    """At a condition number of 1e12, too: the fixture's features are of scales 1e-3 to 1e3."""
    task = prepare(classes(), config=configure(preprocessing="whiten"))
    covariance = np.cov(task.train_inputs.numpy().astype(np.float64), rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(4), atol=1e-6)


def test_whitening_is_scikit_learns(classes: MakeTable, configure: MakeConfig) -> None:
    config = configure(preprocessing="whiten")
    table = classes(inputs=np.random.default_rng(1).normal(size=(60, 5)) @ np.random.default_rng(2).normal(size=(5, 5)))
    split = split_rows(table, config=config)
    fitted = PCA(whiten=True, svd_solver="full").fit(table.inputs[split.train])
    task = prepare(table, config=config)
    for part in ("train", "validation", "test"):
        expected = fitted.transform(table.inputs[getattr(split, part)])
        np.testing.assert_allclose(getattr(task, f"{part}_inputs").numpy(), expected, rtol=1e-5, atol=1e-6)


def test_whitening_leaves_out_what_has_no_variance(classes: MakeTable, configure: MakeConfig) -> None:
    inputs = classes().inputs
    dependent = np.column_stack([inputs, np.full(60, 1e6 / 3), inputs[:, 1] + 2 * inputs[:, 3], inputs[:, 2] + 1e6 / 7])
    task = prepare(classes(inputs=dependent), config=configure(preprocessing="whiten"))
    assert task.num_features == task.test_inputs.shape[1] == 4
    assert task.feature_names == ()


def test_whitening_of_equal_rows_is_refused(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="whiten: all training rows of 'small' are equal"):
        prepare(classes(inputs=np.full((60, 3), 0.1)), config=configure(preprocessing="whiten"))


def test_quantiles_of_the_training_part_become_normal(classes: MakeTable, configure: MakeConfig) -> None:
    inputs = np.exp(3 * np.random.default_rng(0).normal(size=(600, 2)))
    task = prepare(classes(num_rows=600, inputs=inputs), config=configure(preprocessing="quantile"))
    column = np.sort(task.train_inputs[:, 0].numpy())
    expected = normal.ppf(np.arange(1, 359) / 359)
    np.testing.assert_allclose(column[1:-1], expected, atol=1e-5)
    assert np.abs(task.test_inputs.numpy()).max() < 6, "finite beyond what was seen in training"


def test_quantiles_of_a_few_rows_are_as_many_as_the_rows(classes: MakeTable, configure: MakeConfig) -> None:
    task = prepare(
        classes(num_rows=12), config=configure(preprocessing="quantile", test_fraction=0.3, validation_fraction=0.3)
    )
    assert torch.isfinite(task.train_inputs).all()


def test_quantiles_of_many_rows_are_decided_by_the_data_seed(classes: MakeTable, configure: MakeConfig) -> None:
    """Beyond 10,000 rows they are read off at some of them."""
    inputs = np.random.default_rng(0).normal(size=(30_000, 1))
    tables = [classes(num_rows=30_000, inputs=inputs) for _ in range(2)]
    first, again = (prepare(table, config=configure(preprocessing="quantile")).checksum for table in tables)
    assert first == again


def test_constant_feature_is_centred_and_stays_finite(classes: MakeTable, configure: MakeConfig) -> None:
    inputs = classes().inputs.copy()
    inputs[:, 1] = 5.0
    task = prepare(classes(inputs=inputs), config=configure())
    assert (task.train_inputs[:, 1] == 0).all()


def test_large_offset_does_not_eat_the_digits(classes: MakeTable, configure: MakeConfig) -> None:
    """Times in seconds since 1970 are one number in float32, unless they are standardised before they are rounded."""
    table = classes()
    shifted = prepare(classes(inputs=table.inputs + 1.7e9), config=configure())
    np.testing.assert_allclose(
        shifted.train_inputs[:, 1].numpy(), prepare(table, config=configure()).train_inputs[:, 1].numpy(), atol=1e-5
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float16, np.float32, np.float64, bool])
def test_any_real_dtype_becomes_float32(classes: MakeTable, configure: MakeConfig, dtype: type) -> None:
    inputs: np.ndarray = np.random.default_rng(0).integers(0, 2, size=(60, 4)).astype(dtype)
    task = prepare(classes(inputs=inputs), config=configure(preprocessing="none"))
    assert str(task.train_inputs.dtype) == "torch.float32"
    assert set(task.train_inputs.flatten().tolist()) == {0.0, 1.0}


def test_scale_of_a_table_without_a_maximum_is_refused(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(
        UserError, match=r"dataset\.preprocessing=scale divides images .* expected none, center, standardize, quantile"
    ):
        prepare(classes(), config=configure(preprocessing="scale"))


def test_unknown_preprocessing_names_the_nearest(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="unknown preprocessing 'standardise'; did you mean 'standardize'"):
        prepare(classes(), config=configure(preprocessing="standardise"))
