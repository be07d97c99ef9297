"""Fixed splits: the same data seed gives the same rows to the same parts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Table
from bnbench.errors import UserError

RowNumbers = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of the three parts, each in ascending order: disjoint, and together all rows."""

    train: RowNumbers
    validation: RowNumbers
    test: RowNumbers


def split_rows(table: Table, *, config: DatasetConfig) -> Split:
    """Split at random by the data seed, with equal shares of every class in every part.

    An official test part stays what it is. Raises UserError for fractions that leave a part empty and for classes
    with too few rows to be in every part.
    """
    _check(table, config)
    free = np.arange(len(table.labels) - table.num_official_test)
    num_validation = round(config.validation_fraction * len(free))
    num_test = round((config.test_fraction or 0.0) * len(free))
    _check_counts(table, num_free=len(free), num_validation=num_validation, num_test=num_test)
    # RandomState, because its stream is promised never to change: the split is part of what a cell is.
    generator = np.random.RandomState(config.data_seed)
    train, validation = _part(free, table, num_rows=num_validation, generator=generator)
    if table.num_official_test:
        test = np.arange(len(free), len(table.labels))
    else:
        train, test = _part(train, table, num_rows=num_test, generator=generator)
    return Split(train=np.sort(train), validation=np.sort(validation), test=np.sort(test))


def _part(
    rows: RowNumbers, table: Table, *, num_rows: int, generator: np.random.RandomState
) -> tuple[RowNumbers, RowNumbers]:
    stratify = table.labels[rows] if table.kind == "classification" else None
    rest, part = train_test_split(rows, test_size=num_rows, random_state=generator, stratify=stratify)
    return rest, part


def _check(table: Table, config: DatasetConfig) -> None:
    if not 0 <= config.data_seed < 2**32:
        raise UserError(f"dataset.data_seed={config.data_seed}: expected an integer from 0 to {2**32 - 1}")
    if table.num_official_test and config.test_fraction is not None:
        raise UserError(
            f"dataset.test_fraction={config.test_fraction}: '{table.name}' has an official test part of "
            f"{table.num_official_test} rows; expected null"
        )
    if not table.num_official_test and config.test_fraction is None:
        raise UserError(
            f"dataset.test_fraction=null: '{table.name}' has no official test part; expected a share between 0 and 1"
        )
    for key in ("validation_fraction", "test_fraction"):
        fraction = getattr(config, key)
        if fraction is not None and not 0 < fraction < 1:
            raise UserError(f"dataset.{key}={fraction}: expected a share of the rows between 0 and 1, both excluded")
    total = config.validation_fraction + (config.test_fraction or 0.0)
    if total >= 1:
        raise UserError(
            f"dataset.validation_fraction={config.validation_fraction} and "
            f"dataset.test_fraction={config.test_fraction} together take {total:g} of the rows and leave none to "
            "train on; expected less than 1"
        )


def _check_counts(table: Table, *, num_free: int, num_validation: int, num_test: int) -> None:
    parts = {"training": num_free - num_validation - num_test, "validation": num_validation}
    if not table.num_official_test:
        parts["test"] = num_test
    needed = table.num_classes if table.kind == "classification" else 1
    for part, num_rows in parts.items():
        if num_rows < needed:
            reason = f"one for each of {needed} classes" if table.kind == "classification" else "at least one"
            raise UserError(
                f"data set '{table.name}': {num_free} rows leave {num_rows} for the {part} part; expected {reason}"
            )
    if table.kind == "classification":
        counts = np.bincount(table.labels[:num_free], minlength=table.num_classes)
        rarest = int(counts.argmin())
        if counts[rarest] < len(parts):
            raise UserError(
                f"data set '{table.name}': class '{table.class_names[rarest]}' has {counts[rarest]} rows, too few to "
                f"be in each of {len(parts)} parts; leave it out, join it with another or bring more rows"
            )
