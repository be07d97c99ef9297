"""A table of the user's own, from Python: arrays or a DataFrame."""

from decimal import Decimal
from fractions import Fraction
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bnbench.datasets.columns import named_columns, read_inputs
from bnbench.datasets.labels import NUMBERS, read_labels
from bnbench.datasets.prepare import prepare
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Kind, Table
from bnbench.datasets.task import Task
from bnbench.errors import UserError


def from_arrays(
    X: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    *,
    name: str = "table",
    kind: Kind | None = None,
    preprocessing: str = "standardize",
    data_seed: int = 0,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
) -> Task:
    """Return the task of predicting `y` (rows,) from `X` (rows, features).

    A DataFrame may hold text, which is read as categories, and missing values, as an array may hold NaN: they are
    encoded by what the training part tells. As labels, text and booleans are classes; whole numbers are where at most
    32 distinct ones each stand for 3 rows or more on average; all else is regression, whose rmse is in the units of
    `y`. `kind` ("classification" or "regression") decides otherwise. Raises UserError for missing labels, columns that
    are neither numbers nor categories, and tables that cannot be split.

    >>> task = from_arrays([[0.0], [1.0], [2.0], [3.0]] * 5, ["low", "low", "high", "high"] * 5)
    >>> task.kind, task.num_outputs, task.train_inputs.shape, task.metric_name
    ('classification', 2, torch.Size([12, 1]), 'accuracy')
    """
    _check_index(X, y, name=name)
    inputs, feature_names, notes = _inputs(X, name=name)
    chosen, labels, class_names = read_labels(_label_column(y, name=name), kind=kind, name=name)
    table = Table(
        name=name,
        kind=chosen,
        inputs=inputs,
        labels=labels,
        class_names=class_names,
        feature_names=feature_names,
        notes=tuple(notes),
    )
    config = DatasetConfig(
        name=name,
        source="arrays",
        preprocessing=preprocessing,
        data_seed=data_seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
    )
    return prepare(table, config=config)


def _inputs(
    X: ArrayLike | pd.DataFrame, *, name: str
) -> tuple[NDArray[Any] | pd.DataFrame, tuple[str, ...], list[str]]:
    """Return (rows, features) of numbers or the columns of a frame, their names, and notes."""
    if not isinstance(X, pd.DataFrame):
        inputs = _array(X, name=name, argument="X")
        if inputs.dtype.kind not in NUMBERS:
            raise UserError(
                f"data set '{name}': X holds {inputs.dtype}, expected numbers; put text into a pandas DataFrame, where "
                "it is read as categories, or leave it out"
            )
        if inputs.ndim == 1:
            raise UserError(
                f"data set '{name}': X has shape {inputs.shape}, expected (rows, features); a single feature is "
                "X[:, None]"
            )
        if inputs.ndim != 2 or inputs.dtype.kind != "f" or not np.isnan(inputs).any():
            return inputs, (), []
        X = pd.DataFrame(inputs)
    read = read_inputs(named_columns(X, name=name), name=name)
    return read.values, read.feature_names, read.notes


def _label_column(y: ArrayLike, *, name: str) -> NDArray[Any]:
    """Return one label per row, none of them missing."""
    labels = _array(y, name=name, argument="y")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) == 0:
        raise UserError(f"data set '{name}': y has shape {labels.shape}, expected one label per row")
    missing = pd.isna(labels)
    if missing.any():
        raise UserError(
            f"data set '{name}': {int(missing.sum())} labels are missing, the first in row {int(missing.argmax())}; "
            "leave these rows out"
        )
    return labels


def _array(values: ArrayLike, *, name: str, argument: str) -> NDArray[Any]:
    """Return an array; masked values are NaN, and objects that are numbers, as mixed tables hold them, numbers."""
    try:
        if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
            return np.ma.filled(values.astype(np.float64), np.nan)
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # the last two are torch's
        raise UserError(f"data set '{name}': {argument} is no array: {error}") from error
    if array.dtype == object and array.size and all(isinstance(value, Number) for value in array.flat):
        return _numbers(array)
    return array


def _numbers(objects: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in the type that NumPy gives them, decimals and fractions as float64; others stay objects."""
    if any(isinstance(value, Decimal | Fraction) for value in objects.flat):
        return objects.astype(np.float64)
    return np.array(objects.tolist())


def _check_index(X: ArrayLike | pd.DataFrame, y: ArrayLike, *, name: str) -> None:
    """Raise UserError where pandas would put the labels into another order than they stand in."""
    if not isinstance(X, pd.DataFrame) or not isinstance(y, pd.Series | pd.DataFrame) or X.index.equals(y.index):
        return
    if len(X) == len(y) and X.index.is_unique and y.index.is_unique and y.index.isin(X.index).all():
        raise UserError(
            f"data set '{name}': X and y have the same index in another order, and rows are taken in the order they "
            "stand in; give y.loc[X.index], or both without their index"
        )
