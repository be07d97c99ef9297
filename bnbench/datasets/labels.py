"""What is predicted: classes or amounts, told by the labels themselves unless the user says which."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnbench.datasets.table import Kind
from bnbench.errors import UserError, nearest

# More distinct whole numbers than this are amounts rather than names of classes (letters have 26).
MOST_INTEGER_CLASSES = 32
# Whole numbers that hardly repeat are amounts too.
FEWEST_ROWS_PER_CLASS = 3
# NumPy's letters for dtypes: bool, integers, floats; then text and objects
NUMBERS = "biuf"
NAMES = "USO"


def read_labels(
    labels: NDArray[Any], *, kind: str | None, name: str, what: str = "y"
) -> tuple[Kind, NDArray[Any], tuple[str, ...]]:
    """Return the kind, the labels as class indices or float64 numbers, and the names of the classes.

    Text and booleans are classes; whole numbers are where at most 32 distinct ones each stand for 3 rows or more on
    average; all else is regression. `kind` decides otherwise. `what` names the labels in messages. Raises UserError
    for labels that the kind cannot learn.
    """
    chosen = _checked_kind(kind, labels, name=name, what=what)
    if chosen == "regression":
        return chosen, labels.astype(np.float64), ()
    classes, indices = _class_indices(labels, name=name)
    if len(classes) == 1:
        raise UserError(f"data set '{name}': {what} holds one class only, '{classes[0]}': nothing can be learned")
    return chosen, indices, tuple(str(label) for label in classes)


def _checked_kind(kind: str | None, labels: NDArray[Any], *, name: str, what: str) -> Kind:
    kinds: dict[str, Kind] = {"classification": "classification", "regression": "regression"}
    if kind is not None and kind not in kinds:
        raise UserError(f"data set '{name}': kind={kind!r}; {nearest(str(kind), kinds)}")
    chosen = kinds[kind] if kind else _kind_of(labels)
    allowed = NUMBERS if chosen == "regression" else NUMBERS + NAMES
    if labels.dtype.kind not in allowed:
        held = "text" if labels.dtype.kind in NAMES else str(labels.dtype)
        raise UserError(f"data set '{name}': {what} holds {held}, which {chosen} cannot learn; expected numbers")
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
    # hashed first: sorting millions of texts takes seconds, sorting their few names nothing
    codes, found = pd.factorize(labels)
    try:
        order = np.argsort(found, kind="stable")
    except TypeError as error:
        raise UserError(f"data set '{name}': the labels are of types that have no common order: {error}") from error
    ranks = np.empty(len(found), dtype=np.int64)
    ranks[order] = np.arange(len(found))
    return found[order], ranks[codes]
