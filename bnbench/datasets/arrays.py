"""A table of the user's own, from Python: arrays or a DataFrame."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api.types import is_numeric_dtype

from bnbench.datasets.prepare import METRICS, prepare
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Kind, Table
from bnbench.datasets.task import Task
from bnbench.errors import UserError, nearest

# More distinct whole numbers than this are amounts rather than names of classes (letters have 26).
MOST_INTEGER_CLASSES = 32
# Whole numbers that hardly repeat are amounts too.
FEWEST_ROWS_PER_CLASS = 3
# NumPy's letters for dtypes: bool, integers, floats; then text and objects
NUMBERS = "biuf"
NAMES = "USO"


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

    Text and booleans are classes; whole numbers are where at most 32 distinct ones each stand for 3 rows or more on
    average; all else is regression, whose rmse is in the units of `y`. `kind` ("classification" or "regression")
    decides otherwise. Raises UserError for missing values, columns of text and tables that cannot be split.

    >>> task = from_arrays([[0.0], [1.0], [2.0], [3.0]] * 5, ["low", "low", "high", "high"] * 5)
    >>> task.kind, task.num_outputs, task.train_inputs.shape, task.metric_name
    ('classification', 2, torch.Size([12, 1]), 'accuracy')
    """
    inputs, feature_names = _numeric_inputs(X, name=name)
    labels = _label_column(y, name=name)
    chosen = _checked_kind(kind, labels, name=name)
    classes: NDArray[Any] = np.empty(0)
    if chosen == "classification":
        classes, labels = _class_indices(labels, name=name)
    table = Table(
        name=name,
        kind=chosen,
        inputs=inputs,
        labels=labels if chosen == "classification" else labels.astype(np.float64),
        class_names=tuple(str(label) for label in classes),
        feature_names=feature_names,
    )
    metric, direction = next(
        (metric, direction) for metric, (of_kind, direction) in METRICS.items() if of_kind == chosen
    )
    config = DatasetConfig(
        name=name,
        source="arrays",
        preprocessing=preprocessing,
        metric=metric,
        direction=direction,
        data_seed=data_seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
    )
    return prepare(table, config=config)


def _numeric_inputs(X: ArrayLike | pd.DataFrame, *, name: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return (rows, features) of numbers, and the names of a DataFrame's columns."""
    if isinstance(X, pd.DataFrame):
        text = [str(column) for column, values in X.items() if not is_numeric_dtype(values)]
        if text:
            raise UserError(
                f"data set '{name}': columns {', '.join(text)} hold text, dates or objects, expected numbers; encode "
                "them or leave them out"
            )
        return X.to_numpy(dtype=np.float64, na_value=np.nan), tuple(str(column) for column in X.columns)
    inputs = _array(X, name=name, argument="X")
    if inputs.dtype.kind not in NUMBERS:
        raise UserError(f"data set '{name}': X holds {inputs.dtype}, expected numbers; encode text or leave it out")
    if inputs.ndim == 1:
        raise UserError(
            f"data set '{name}': X has shape {inputs.shape}, expected (rows, features); a single feature is X[:, None]"
        )
    return inputs, ()


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
    try:
        return np.asarray(values)
    except ValueError as error:
        raise UserError(f"data set '{name}': {argument} is no array: {error}") from error


def _checked_kind(kind: str | None, labels: NDArray[Any], *, name: str) -> Kind:
    kinds: dict[str, Kind] = {"classification": "classification", "regression": "regression"}
    if kind is not None and kind not in kinds:
        raise UserError(f"data set '{name}': kind={kind!r}; {nearest(str(kind), kinds)}")
    chosen = kinds[kind] if kind else _kind_of(labels)
    allowed = NUMBERS if chosen == "regression" else NUMBERS + NAMES
    if labels.dtype.kind not in allowed:
        raise UserError(f"data set '{name}': y holds {labels.dtype}, which {chosen} cannot learn; expected numbers")
    return chosen


def _kind_of(labels: NDArray[Any]) -> Kind:
    if labels.dtype.kind in "b" + NAMES:
        return "classification"
    if labels.dtype.kind in "iu":
        most = min(MOST_INTEGER_CLASSES, len(labels) / FEWEST_ROWS_PER_CLASS)
        return "classification" if len(np.unique(labels)) <= most else "regression"
    return "regression"


def _class_indices(labels: NDArray[Any], *, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes in ascending order, and the index of each label among them."""
    try:
        classes, indices = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise UserError(f"data set '{name}': the labels are of types that have no common order: {error}") from error
    return classes, indices.astype(np.int64)
