"""Preprocessing: the formula each name promises, with statistics of the training part only."""

from collections.abc import Callable

import numpy as np
import pytest

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
    assert (after.train_inputs == before.train_inputs).all()
    assert not (getattr(after, f"{part}_inputs") == getattr(before, f"{part}_inputs")).any()


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
        UserError, match=r"dataset\.preprocessing=scale divides images .* expected none, center or standardize"
    ):
        prepare(classes(), config=configure(preprocessing="scale"))


def test_unknown_preprocessing_names_the_nearest(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="unknown preprocessing 'standardise'; did you mean 'standardize'"):
        prepare(classes(), config=configure(preprocessing="standardise"))
