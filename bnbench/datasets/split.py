"""Fixed splits: the same data seed gives the same rows to the same parts."""

import numpy as np

from bnbench.datasets.parts import Split
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.split_at_random import split_at_random
from bnbench.datasets.split_by_column import COLUMN_RULES
from bnbench.datasets.table import Table
from bnbench.errors import UserError, nearest

RANDOM_RULES = ("auto", "random", "stratified")


def split_rows(table: Table, *, config: DatasetConfig) -> Split:
    """Split by the rule `config.split`; raises UserError where the rule cannot be followed.

    auto: at random by the data seed, with equal shares of every class in every part where there are classes; an
    official test part stays what it is. random: at random whatever the classes. stratified: as auto, classes only.
    grouped, time, given: by the split column. Every class is in the training part.
    """
    rules = (*RANDOM_RULES, *COLUMN_RULES)
    if config.split not in rules:
        raise UserError(f"dataset.split={config.split}: unknown rule; {nearest(config.split, rules)}")
    _check_fractions(table, config)
    if config.split in COLUMN_RULES:
        if table.num_official_test:
            raise UserError(
                f"dataset.split={config.split}: '{table.name}' has an official test part; expected auto, random or "
                "stratified"
            )
        split = COLUMN_RULES[config.split](table, config=config)
    else:
        split = _split_at_random(table, config=config)
    _check_every_class_is_trained(table, split, config=config)
    return split


def _split_at_random(table: Table, *, config: DatasetConfig) -> Split:
    if config.split_column is not None:
        raise UserError(
            f"dataset.split_column={config.split_column} has no effect with dataset.split={config.split}; it belongs "
            f"to dataset.split={', '.join(COLUMN_RULES)}"
        )
    has_classes = table.kind == "classification"
    if config.split == "stratified" and not has_classes:
        raise UserError(f"dataset.split=stratified needs classes, and '{table.name}' is regression; expected random")
    return split_at_random(table, config=config, stratified=has_classes and config.split != "random")


def _check_fractions(table: Table, config: DatasetConfig) -> None:
    if not 0 <= config.data_seed < 2**32:
        raise UserError(f"dataset.data_seed={config.data_seed}: expected an integer from 0 to {2**32 - 1}")
    if table.num_official_test and config.test_fraction is not None:
        raise UserError(
            f"dataset.test_fraction={config.test_fraction}: '{table.name}' has an official test part of "
            f"{table.num_official_test} rows; expected null"
        )
    if not table.num_official_test and config.test_fraction is None and config.split != "given":
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


def _check_every_class_is_trained(table: Table, split: Split, *, config: DatasetConfig) -> None:
    if table.kind != "classification":
        return
    counts = np.bincount(table.labels[split.train], minlength=table.num_classes)
    if (counts == 0).any():
        absent = int(counts.argmin())
        row = table.row_number(int((table.labels == absent).argmax()))
        raise UserError(
            f"data set '{table.name}': class '{table.class_names[absent]}' (first in row {row}) has no row in the "
            f"training part by dataset.split={config.split}, so it cannot be learned; leave its rows out, bring more, "
            "or split by another rule"
        )
