"""Parts drawn at random by the data seed, with equal shares of every class or without."""

import numpy as np
from sklearn.model_selection import train_test_split

from bnbench.datasets.parts import RowNumbers, Split
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.stratified import draw_stratified
from bnbench.datasets.table import Table
from bnbench.errors import UserError


def split_at_random(table: Table, *, config: DatasetConfig, stratified: bool) -> Split:
    """Split at random; stratified with equal shares of every class in every part.

    An official test part stays what it is. Raises UserError for fractions that leave a part empty and for classes
    with too few rows to be in every part.
    """
    free = np.arange(len(table.labels) - table.num_official_test)
    num_validation = round(config.validation_fraction * len(free))
    num_test = round((config.test_fraction or 0.0) * len(free))
    _check_counts(table, num_free=len(free), num_validation=num_validation, num_test=num_test, stratified=stratified)
    generator = generator_of(config)
    only_one = table.num_official_test > 0
    train, validation = draw_part(
        free, table, num_rows=num_validation, generator=generator, stratified=stratified, is_last=only_one
    )
    if only_one:
        test = np.arange(len(free), len(table.labels))
    else:
        train, test = draw_part(
            train, table, num_rows=num_test, generator=generator, stratified=stratified, is_last=True
        )
    rule = "at random" + (" with equal shares of every class" if stratified else "")
    rule += ", the test part is the official one" if table.num_official_test else ""
    return Split(train=np.sort(train), validation=np.sort(validation), test=np.sort(test), rule=rule)


def generator_of(config: DatasetConfig) -> np.random.RandomState:
    """Return a generator whose stream is promised never to change: the split is part of what a cell is."""
    return np.random.RandomState(config.data_seed)


def draw_part(
    rows: RowNumbers,
    table: Table,
    *,
    num_rows: int,
    generator: np.random.RandomState,
    stratified: bool,
    is_last: bool = False,
) -> tuple[RowNumbers, RowNumbers]:
    """Return the rows that are left, and those drawn; in no particular order where this draw is the last."""
    if stratified:
        left, drawn = draw_stratified(
            table.labels[rows], num_rows=num_rows, generator=generator, in_order_drawn=not is_last
        )
        return rows[left], rows[drawn]
    rest, part = train_test_split(rows, test_size=num_rows, random_state=generator)
    return rest, part


def _check_counts(table: Table, *, num_free: int, num_validation: int, num_test: int, stratified: bool) -> None:
    parts = {"training": num_free - num_validation - num_test, "validation": num_validation}
    if not table.num_official_test:
        parts["test"] = num_test
    needed = table.num_classes if stratified else 1
    for part, num_rows in parts.items():
        if num_rows < needed:
            reason = f"one for each of {needed} classes" if stratified else "at least one"
            raise UserError(
                f"data set '{table.name}': {num_free} rows leave {num_rows} for the {part} part; expected {reason}"
            )
    if stratified:
        counts = np.bincount(table.labels[:num_free], minlength=table.num_classes)
        rarest = int(counts.argmin())
        if counts[rarest] < len(parts):
            raise UserError(
                f"data set '{table.name}': class '{table.class_names[rarest]}' has {counts[rarest]} rows, too few to "
                f"be in each of {len(parts)} parts; leave it out, join it with another or bring more rows"
            )
