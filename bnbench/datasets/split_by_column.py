"""Parts decided by a column: rows that belong together, rows in the order of time, or parts the data set came with."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnbench.datasets.parts import Split
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.split_at_random import draw_part, generator_of
from bnbench.datasets.table import Table
from bnbench.errors import UserError

# Of so many draws of groups, the one whose parts come nearest to their shares.
DRAWS_OF_GROUPS = 16
SPELLINGS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def split_grouped(table: Table, *, config: DatasetConfig) -> Split:
    """Draw whole groups at random: rows with one value in the split column are never in two parts."""
    groups, names = pd.factorize(_values(table, config))
    sizes = np.bincount(groups)
    if len(names) < 3:
        raise UserError(
            f"dataset.split=grouped: column '{config.split_column}' holds {len(names)} groups; expected one for each "
            "of 3 parts at least"
        )
    total = len(table.labels)
    validation, test = config.validation_fraction * total, (config.test_fraction or 0.0) * total
    wanted = np.array([total - validation - test, validation, test])
    generator = generator_of(config)
    draws = [_draw_groups(sizes, wanted, generator) for _ in range(DRAWS_OF_GROUPS)]

    def cost(part_of: NDArray[np.intp]) -> tuple[int, float]:
        trained = len(np.unique(table.labels[part_of[groups] == 0])) if table.kind == "classification" else 0
        return -trained, float(np.abs(np.bincount(part_of, weights=sizes, minlength=3) - wanted).max())

    part_of = min(draws, key=cost)[groups]
    train, valid, tested = (np.flatnonzero(part_of == part) for part in range(3))
    rule = f"{len(names)} groups of '{config.split_column}' at random, each whole in one part"
    return Split(train, valid, tested, rule=rule)


def split_by_time(table: Table, *, config: DatasetConfig) -> Split:
    """Test on the latest rows, validate on those before; rows of one time are never in two parts."""
    times = _times(table, config)
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    boundaries = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1  # where a later time begins
    if len(boundaries) < 2:
        raise UserError(
            f"dataset.split=time: column '{config.split_column}' holds {len(boundaries) + 1} different times; "
            "expected one for each of 3 parts at least"
        )
    total = len(times)
    test_from = total * (1 - (config.test_fraction or 0.0))
    validation_from = test_from - total * config.validation_fraction
    last = boundaries[1:][np.abs(boundaries[1:] - test_from).argmin()]
    before = boundaries[boundaries < last]
    first = before[np.abs(before - validation_from).argmin()]
    shown = [_shown(ordered[place]) for place in (first, last)]
    train, valid, tested = (np.sort(part) for part in (order[:first], order[first:last], order[last:]))
    rule = f"by the order of '{config.split_column}': validation from {shown[0]} on, test from {shown[1]} on"
    return Split(train, valid, tested, rule=rule)


def split_given(table: Table, *, config: DatasetConfig) -> Split:
    """Take the parts from the split column; where it has no validation part, that is drawn from the training part."""
    values = _values(table, config)
    codes, found = pd.factorize(values)
    known = [SPELLINGS.get(str(value).strip().lower()) for value in found]
    for place, part in enumerate(known):
        if part is None:
            row = table.row_number(int((codes == place).argmax()))
            raise UserError(
                f"dataset.split=given: column '{config.split_column}' has {found[place]!r} in row {row}; expected "
                "train, validation or test"
            )
    part_of = np.array(known, dtype=object)[codes]
    train, validation, test = (np.flatnonzero(part_of == part) for part in ("train", "validation", "test"))
    for part, rows in (("train", train), ("test", test)):
        if not len(rows):
            raise UserError(f"dataset.split=given: column '{config.split_column}' puts no row into the {part} part")
    rule = f"as given in '{config.split_column}'"
    if not len(validation):
        train, validation = _draw_validation(train, table, config=config)
        rule += ", which has no validation part: drawn from the training part at random"
    return Split(train, validation, test, rule=rule)


COLUMN_RULES: dict[str, Callable[..., Split]] = {
    "grouped": split_grouped,
    "time": split_by_time,
    "given": split_given,
}


def _draw_groups(
    sizes: NDArray[np.intp], wanted: NDArray[np.floating], generator: np.random.RandomState
) -> NDArray[np.intp]:
    """Return the part of every group: in random order, each goes where most rows are still wanted."""
    part_of = np.empty(len(sizes), dtype=np.intp)
    open_rows = wanted.tolist()
    empty = {0, 1, 2}
    for left, group in zip(range(len(sizes), 0, -1), generator.permutation(len(sizes)).tolist(), strict=True):
        # the last groups fill the parts that have none yet
        choices = empty if left <= len(empty) else (0, 1, 2)
        part = max(choices, key=open_rows.__getitem__)
        part_of[group] = part
        open_rows[part] -= sizes[group]
        empty.discard(part)
    return part_of


def _draw_validation(
    train: NDArray[np.intp], table: Table, *, config: DatasetConfig
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    num_rows = round(config.validation_fraction * len(train))
    if not 0 < num_rows < len(train):
        raise UserError(
            f"dataset.split=given: {len(train)} training rows leave {num_rows} for the validation part; expected at "
            "least one in each"
        )
    # equal shares of the classes where they are large enough for it
    counts = np.bincount(table.labels[train]) if table.kind == "classification" else np.zeros(0)
    present = counts[counts > 0]
    stratified = len(present) > 0 and present.min() >= 2 and min(num_rows, len(train) - num_rows) >= len(present)
    rest, part = draw_part(train, table, num_rows=num_rows, generator=generator_of(config), stratified=stratified)
    return np.sort(rest), np.sort(part)


def _values(table: Table, config: DatasetConfig) -> NDArray[np.generic]:
    """Return the split column; raises UserError where it is not there or has gaps."""
    values = table.split_values
    if values is None:
        raise UserError(
            f"dataset.split={config.split}: '{table.name}' has no column to split by; expected dataset.split_column="
            "NAME, or dataset.split=auto, random or stratified"
        )
    missing = pd.isna(values)
    if missing.any():
        raise UserError(
            f"dataset.split={config.split}: column '{config.split_column}' is missing in {int(missing.sum())} rows, "
            f"the first of them row {table.row_number(int(missing.argmax()))}"
        )
    return values


def _times(table: Table, config: DatasetConfig) -> NDArray[np.generic]:
    """Return numbers or dates that can be put in order; raises UserError for text that is neither."""
    values = _values(table, config)
    if values.dtype.kind in "biufM":
        return values
    numbers = pd.to_numeric(pd.Series(values), errors="coerce")
    if numbers.notna().all():
        return numbers.to_numpy()
    dates = pd.to_datetime(pd.Series(values), format="ISO8601", errors="coerce", utc=True)
    if dates.isna().any():
        row = int(dates.isna().to_numpy().argmax())
        raise UserError(
            f"dataset.split=time: column '{config.split_column}' has {values[row]!r} in row {table.row_number(row)}; "
            "expected numbers or dates like 2024-05-31"
        )
    return dates.dt.tz_localize(None).to_numpy()


def _shown(time: np.generic) -> str:
    return str(pd.Timestamp(time)).removesuffix(" 00:00:00") if time.dtype.kind == "M" else str(time)
