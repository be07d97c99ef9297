"""What was made of the rows of a data set, in lines to be shown before training starts."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnbench.datasets.columns import MOST_NAMED, listed
from bnbench.datasets.encoding import Encoding
from bnbench.datasets.parts import PART_NAMES, PARTS, Split
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Table


def describe_data(
    table: Table,
    split: Split,
    encoding: Encoding | None,
    is_constant: NDArray[np.bool_],
    leakage: tuple[str, ...],
    *,
    config: DatasetConfig,
) -> tuple[str, ...]:
    """Return lines on the columns, what is predicted, the split, and leakage; rows are numbered from 0.

    `is_constant` tells the features of one value in the training part, `leakage` is `find_leakage(table, split)`.
    """
    return (
        *_columns(table, encoding, is_constant),
        *table.notes,
        _target(table),
        *_split(table, split, config=config),
        *leakage,
    )


def _columns(table: Table, encoding: Encoding | None, is_constant: NDArray[np.bool_]) -> list[str]:
    rows, columns = table.inputs.shape
    if encoding is None or not isinstance(table.inputs, pd.DataFrame):
        names, is_amount = table.feature_names, np.ones(columns, dtype=bool)
        lines = [f"{rows:,} rows, {columns} columns of numbers"]
    else:
        names, is_amount = encoding.feature_names, encoding.is_amount
        lines = [f"{rows:,} rows, {columns} columns: {_types(table.inputs)}; encoded to {len(names)} features"]
        lines += _missing(table.inputs)
        lines += encoding.notes
    constant = np.flatnonzero(is_constant & is_amount)
    if len(constant):
        named = f": {listed([names[place] for place in constant])}" if names else ""
        lines.append(f"{len(constant)} constant in the training part{named}")
    return lines


def _missing(frame: pd.DataFrame) -> list[str]:
    gaps = [column for column in frame if frame[column].isna().any()]
    categories = [column for column in gaps if isinstance(frame[column].dtype, pd.CategoricalDtype)]
    lines = []
    if numbers := [column for column in gaps if column not in categories]:
        lines.append(f"missing numbers in {listed(numbers)}: the median of training, and a feature that says so")
    if categories:
        lines.append(f"missing categories in {listed(categories)}: a category of their own")
    return lines


def _types(frame: pd.DataFrame) -> str:
    """Return how many columns are of which type, and the number of categories in each of those."""
    sizes = {
        column: len(values.cat.categories)
        for column, values in frame.items()
        if isinstance(values.dtype, pd.CategoricalDtype)
    }
    numbers = f"{frame.shape[1] - len(sizes)} of numbers"
    if not sizes:
        return numbers
    shown = ", ".join(f"'{column}' {size}" for column, size in list(sizes.items())[:MOST_NAMED])
    return f"{numbers}, {len(sizes)} of categories ({shown}{', …' if len(sizes) > MOST_NAMED else ''})"


def _target(table: Table) -> str:
    if table.kind == "regression":
        values = table.labels
        return f"regression: from {values.min():.4g} to {values.max():.4g}, mean {values.mean():.4g}"
    counts = np.bincount(table.labels, minlength=table.num_classes) / len(table.labels)
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] == counts[least]:
        return f"classification: {table.num_classes} classes of {counts[most]:.2%} of the rows each"
    return (
        f"classification: {table.num_classes} classes, from '{table.class_names[least]}' with {counts[least]:.2%} of "
        f"the rows to '{table.class_names[most]}' with {counts[most]:.2%}"
    )


def _split(table: Table, split: Split, *, config: DatasetConfig) -> list[str]:
    sizes = ", ".join(f"{len(getattr(split, part)):,} {name}" for part, name in PART_NAMES.items())
    lines = [f"split: {sizes} rows; {split.rule} (dataset.split={config.split}, data_seed={config.data_seed})"]
    if table.kind == "classification":
        for part in PARTS[1:]:
            counts = np.bincount(table.labels[getattr(split, part)], minlength=table.num_classes)
            if absent := [table.class_names[place] for place in np.flatnonzero(counts == 0)]:
                lines.append(f"no row of {listed(absent)} in the {part} part")
    return lines
