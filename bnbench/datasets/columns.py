"""The columns of a DataFrame, read as numbers or categories: the one way from a file, or a frame of Python's, to a
table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from bnbench.datasets.column_types import LARGEST_EXACT, Column, read_column, too_many_categories
from bnbench.datasets.labels import read_labels
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Table
from bnbench.errors import UserError, nearest

MOST_NAMED = 10  # names of columns in one line of a report


@dataclass
class Inputs:
    """Columns as they are learned from: an array where all are complete numbers, else a DataFrame; and their story."""

    values: NDArray[Any] | pd.DataFrame
    feature_names: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


def table_from_frame(frame: pd.DataFrame, config: DatasetConfig) -> Table:
    """Return the table of predicting `config.target_column` from the other columns of a file.

    Rows whose target is missing are left out, and so are `config.ignore_columns` and the column a split goes by; the
    table's notes say so. Raises UserError that names the column, and where it can the row (from 0) and the value, for
    whatever can be read neither as numbers nor as categories.
    """
    frame = named_columns(frame, name=config.name)
    if config.target_column is None:
        raise UserError(f"dataset.target_column=null: name the column to predict; choose from: {', '.join(frame)}")
    target = _find(frame, config.target_column, key="target_column")
    ignored = [_find(frame, column, key="ignore_columns") for column in config.ignore_columns]
    categorical = [_find(frame, column, key="categorical_columns") for column in config.categorical_columns]
    by = None if config.split_column is None else _find(frame, config.split_column, key="split_column")
    for key, columns in (("ignore_columns", ignored), ("split_column", [by]), ("categorical_columns", categorical)):
        if target in columns:
            instead = "dataset.kind=classification" if key == "categorical_columns" else "another"
            raise UserError(f"dataset.{key}: '{target}' is the target column; expected {instead}")
    notes = [f"left out: {listed(ignored)} (dataset.ignore_columns)"] if ignored else []
    if by is not None:
        notes.append(f"'{by}' only splits the rows, nothing is predicted from it (dataset.split_column)")
    labels, rows = _target(frame[target], config=config, notes=notes)
    features = frame.drop(columns={target, *ignored} | ({by} if by is not None else set()))
    inputs = read_inputs(
        features.iloc[rows] if rows is not None else features,
        name=config.name,
        categorical_columns=categorical,
        row_numbers=rows,
    )
    kind, labels, class_names = read_labels(
        labels, kind=config.kind, name=config.name, what=f"the target column '{target}'"
    )
    split_values = None if by is None else frame[by].to_numpy()
    return Table(
        name=config.name,
        kind=kind,
        inputs=inputs.values,
        labels=labels,
        class_names=class_names,
        feature_names=inputs.feature_names,
        split_values=split_values if split_values is None or rows is None else split_values[rows],
        row_numbers=rows,
        notes=(*notes, *inputs.notes),
    )


def read_inputs(
    frame: pd.DataFrame,
    *,
    name: str,
    categorical_columns: Sequence[str] = (),
    row_numbers: NDArray[np.integer] | None = None,
) -> Inputs:
    """Return columns of numbers and categories; raises UserError that names those that are neither.

    Booleans are the numbers 0 and 1, text that spells numbers is read as them, other text is categories. Columns
    without any value are left out.
    """
    columns = [
        read_column(frame[column], name=name, as_category=column in categorical_columns, row_numbers=row_numbers)
        for column in frame
    ]
    _refuse(columns, name=name)
    notes = []
    if empty := [column.name for column in columns if column.kind == "empty"]:
        notes.append(f"left out: {listed(empty)}, without any value")
    if spelled := [column.name for column in columns if column.was_text and column.kind == "number"]:
        notes.append(f"numbers stored as text, read as numbers: {listed(spelled)}")
    if cut := [column.name for column in columns if column.is_cut]:
        notes.append(
            f"whole numbers beyond 2^53 in {listed(cut)}: their last digits are lost, as numbers; "
            f"dataset.categorical_columns or ignore_columns=[{','.join(cut)}] if they are names"
        )
    kept = [column for column in columns if column.kind != "empty"]
    if not kept:
        raise UserError(f"data set '{name}': no column with a value is left to predict from")
    if counting := [column.name for column in kept if _counts_rows(column)]:
        notes.append(
            f"{listed(counting)} only numbers the rows; dataset.ignore_columns=[{','.join(counting)}] leaves it out"
        )
    names = tuple(column.name for column in kept)
    if all(column.kind == "number" and not column.has_missing for column in kept):
        values = np.empty((len(frame), len(kept)))
        for place, column in enumerate(kept):
            values[:, place] = column.values
        return Inputs(values, names, notes)
    read = {column.name: column.values for column in kept}
    return Inputs(pd.DataFrame(read, index=pd.RangeIndex(len(frame)), copy=False), names, notes)


def _counts_rows(column: Column) -> bool:
    """Return whether a column goes up by one from row to row, as the row numbers that tables are saved with do."""
    return column.kind == "number" and len(column.values) > 2 and bool((np.diff(column.values) == 1).all())


def named_columns(frame: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Return the frame with text for names and row numbers from 0; raises UserError for a name that is there twice."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise UserError(f"data set '{name}': the columns have names of several levels; expected one each")
    names = [str(column) for column in frame.columns]
    if twice := sorted({column for column in names if names.count(column) > 1}):
        raise UserError(f"data set '{name}': {listed(twice)}: two columns of that name; rename one")
    return frame.set_axis(names, axis=1).reset_index(drop=True)


def listed(names: Iterable[str]) -> str:
    """Return names in quotes, the first ten of them.

    >>> listed(["age", "city"])
    "'age', 'city'"
    """
    names = list(names)
    more = f", … ({len(names)} in all)" if len(names) > MOST_NAMED else ""
    return ", ".join(f"'{column}'" for column in names[:MOST_NAMED]) + more


def _find(frame: pd.DataFrame, wanted: Any, *, key: str) -> str:
    """Return the name of a column given by its name, or by its number: from 0, from the end where negative."""
    names = list(frame)
    if str(wanted) in names:
        return str(wanted)
    try:
        return str(names[int(str(wanted))])
    except (ValueError, IndexError) as error:
        raise UserError(f"dataset.{key}={wanted}: no such column; {nearest(str(wanted), names)}") from error


def _target(
    column: pd.Series, *, config: DatasetConfig, notes: list[str]
) -> tuple[NDArray[Any], NDArray[np.intp] | None]:
    """Return the labels that are there, and their rows where some are missing, which is noted."""
    of_names = config.kind == "classification" and not is_numeric_dtype(column.dtype)
    read = read_column(column, name=config.name, as_category=of_names, is_target=True)
    if read.kind in ("other", "empty"):
        held = read.why if read.kind == "other" else "no value in any row"
        raise UserError(
            f"data set '{config.name}': the target column '{read.name}' holds {held}; expected numbers or names"
        )
    labels, rows = np.asarray(read.values), None
    if column.dtype.kind in "iu" and not read.has_missing:  # as they are: beyond 2^53 float64 makes one of several
        return column.to_numpy(np.uint64 if column.dtype == np.uint64 else np.int64), rows
    if read.has_missing:
        missing = pd.isna(labels)
        rows = np.flatnonzero(~missing)
        labels = labels[rows]
        notes.append(
            f"left out: {int(missing.sum())} of {len(missing)} rows, whose target '{read.name}' is missing, the first "
            f"of them row {int(missing.argmax())}"
        )
    if read.is_boolean:
        return labels.astype(bool), rows
    # missing cells make floats of whole numbers, as text does
    may_be_whole = column.dtype.kind != "f" or read.has_missing
    if read.kind == "number" and may_be_whole and _are_whole(labels):
        return labels.astype(np.int64), rows
    return labels, rows


def _are_whole(numbers: NDArray[np.float64]) -> bool:
    return bool((numbers == np.floor(numbers)).all() and np.abs(numbers).max() < LARGEST_EXACT)


def _refuse(columns: Sequence[Column], *, name: str) -> None:
    """Raise UserError for the columns that cannot be learned from, all at once, with what leaves them out."""
    bad = {column.name: column.why for column in columns if column.kind == "other"}
    bad |= {column.name: reason for column in columns if (reason := too_many_categories(column))}
    if bad:
        said = ", ".join(f"'{column}' ({why})" for column, why in list(bad.items())[:MOST_NAMED])
        raise UserError(
            f"data set '{name}': {len(bad)} columns are neither numbers nor categories: {said}; make numbers of them "
            f"or leave them out: dataset.ignore_columns=[{','.join(bad)}]"
        )
