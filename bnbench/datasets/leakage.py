"""What a test score should not rest on: the same rows in two parts, and features that spell the target out."""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnbench.datasets.columns import listed
from bnbench.datasets.mapped import MappedArray
from bnbench.datasets.parts import PART_NAMES, PARTS, RowNumbers, Split
from bnbench.datasets.table import Table

# |correlation| beyond which a number is the target in other units
SAME_AS_TARGET = 0.9999
# Most features are told from the target by so many rows; only those that are not are looked at in all.
GLANCE_ROWS = 1000
# two rows always lie on a line
FEWEST_ROWS_OF_A_LINE = 10
# in the place of missing numbers: beyond all that a table may hold
MISSING = np.finfo(np.float64).max
HASHED_ROWS = 8192  # at a time: bounds the memory of hashing


def find_leakage(table: Table, split: Split) -> tuple[str, ...]:
    """Return a line for everything suspicious.

    Equal rows are sought across parts; a feature that equals the target or is a one-to-one code of it, in the training
    part. Neither is an error: a table of few categories has equal rows that are different people.
    """
    inputs = _as_array(table.inputs) if isinstance(table.inputs, pd.DataFrame) else table.inputs
    return (*_equal_rows(table, split, inputs), *_spelled_out(table, split, inputs))


def _as_array(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return numbers and the numbers of categories; what is missing equals what is missing."""
    values = np.empty(frame.shape)
    for place, (_, column) in enumerate(frame.items()):
        if isinstance(column.dtype, pd.CategoricalDtype):
            values[:, place] = column.cat.codes
        else:
            values[:, place] = np.nan_to_num(column.to_numpy(dtype=np.float64), nan=MISSING)
    return values


def _equal_rows(table: Table, split: Split, inputs: NDArray[Any] | MappedArray) -> list[str]:
    hashes = hash_rows(inputs)
    lines = []
    in_order = {part: np.sort(hashes[getattr(split, part)]) for part in PARTS}
    for first, second in combinations(PARTS, 2):
        rows, others = getattr(split, first), getattr(split, second)
        # sorted against sorted: in a second for millions of rows, where what follows takes ten
        if not _have_common(in_order[first], in_order[second]):
            continue
        # one row of the first part for every distinct one
        distinct, places = np.unique(hashes[rows], return_index=True)
        at = np.searchsorted(distinct, hashes[others]).clip(max=len(distinct) - 1)
        alike = np.flatnonzero(distinct[at] == hashes[others])
        twins, others_alike = rows[places[at[alike]]], others[alike]
        equal = (inputs[twins] == inputs[others_alike]).all(axis=1)
        if not equal.any():
            continue
        agree = _labels_agree(table, hashes, rows, others_alike[equal])
        row, twin = (table.row_number(int(found[equal][0])) for found in (others_alike, twins))
        lines.append(
            f"leakage: {int(equal.sum()):,} of {len(others):,} {PART_NAMES[second]} rows are in the "
            f"{PART_NAMES[first]} part as well (the first: row {row} equals row {twin}); {agree:.0%} of them with the "
            "same label there"
        )
    return lines


def _have_common(ascending: NDArray[np.uint64], others: NDArray[np.uint64]) -> bool:
    at = np.searchsorted(ascending, others).clip(max=len(ascending) - 1)
    return bool((ascending[at] == others).any())


def _labels_agree(table: Table, hashes: NDArray[np.uint64], rows: RowNumbers, others: RowNumbers) -> float:
    """Return the share of the other rows for which one of the rows is equal and has the same label."""
    labels = pd.factorize(table.labels)[0].astype(np.uint64)
    labelled = _mix(np.stack([hashes, labels], axis=1))
    return float(np.isin(labelled[others], labelled[rows]).mean())


def hash_rows(rows: NDArray[Any] | MappedArray) -> NDArray[np.uint64]:
    """Return a 64-bit number per row that depends on every byte of it; 0.0 and -0.0 are one value."""
    hashes = np.empty(len(rows), dtype=np.uint64)
    for start in range(0, len(rows), HASHED_ROWS):
        part = rows[start : start + HASHED_ROWS]
        part = np.ascontiguousarray(part + part.dtype.type(0) if part.dtype.kind == "f" else part)
        as_bytes = part.view(np.uint8).reshape(len(part), -1)
        padded = np.zeros((len(part), -(-as_bytes.shape[1] // 8) * 8), dtype=np.uint8)
        padded[:, : as_bytes.shape[1]] = as_bytes
        hashes[start : start + HASHED_ROWS] = _mix(padded.view(np.uint64))
    return hashes


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return one number per row of words: each word scrambled by its place (splitmix64's rounds), and all added up."""
    places = np.arange(1, words.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    words = words + places
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words.sum(axis=1, dtype=np.uint64)


def _spelled_out(table: Table, split: Split, inputs: NDArray[Any] | MappedArray) -> list[str]:
    glance = split.train[:: -(-len(split.train) // GLANCE_ROWS)]
    suspects = _columns_like_target(table, inputs, glance, range(inputs.shape[1]))
    found = _columns_like_target(table, inputs, split.train, suspects)
    frame = table.inputs if isinstance(table.inputs, pd.DataFrame) else None
    names = table.feature_names if frame is None else tuple(str(column) for column in frame)
    lines = []
    for what in dict.fromkeys(found.values()):
        columns = [column for column, of_it in found.items() if of_it == what]
        shown = listed(names[column] if names else f"column {column}" for column in columns)
        lines.append(f"leakage: {shown}: {what}")
    return lines


def _columns_like_target(
    table: Table, inputs: NDArray[Any] | MappedArray, rows: RowNumbers, columns: Iterable[int]
) -> dict[int, str]:
    """Return the columns that tell the target, and how."""
    labels = table.labels[rows]
    like = _like_classes if table.kind == "classification" else _like_amounts
    told = {column: like(inputs[rows, column], labels) for column in columns}
    return {column: what for column, what in told.items() if what is not None}


def _like_classes(values: NDArray[Any], labels: NDArray[Any]) -> str | None:
    return "one value for each class" if _is_code(values, labels) else None


def _like_amounts(values: NDArray[Any], labels: NDArray[Any]) -> str | None:
    if _is_proportional(values, labels):
        return "the target in other units"
    return "in the order of the target in every row" if _is_in_order(values, labels) else None


def _is_code(values: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Return whether every class has one value of its own."""
    codes, found = pd.factorize(values)
    num_classes = len(np.unique(labels))
    if len(found) != num_classes:
        return False
    return num_classes > 1 and len(np.unique(codes * (int(labels.max()) + 1) + labels)) == num_classes


def _is_proportional(values: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Return whether numbers, where they are there, are a straight line of the labels but for rounding."""
    there = values != MISSING
    if there.sum() < FEWEST_ROWS_OF_A_LINE:
        return False
    centred, wanted = (given[there] - given[there].mean(dtype=np.float64) for given in (values, labels))
    scale = np.sqrt(np.square(centred).sum() * np.square(wanted).sum())
    return bool(scale > 0 and abs((centred * wanted).sum()) > SAME_AS_TARGET * scale)


def _is_in_order(values: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Return whether numbers, where they are there, go up, or down, wherever the labels do: their logarithm, say.

    Equal labels have equal numbers and the other way round; and they are many, or a column of two values would do.
    """
    there = values != MISSING
    given, wanted = values[there], labels[there]
    if len(given) < FEWEST_ROWS_OF_A_LINE or len(np.unique(wanted)) < FEWEST_ROWS_OF_A_LINE:
        return False
    by_label = np.argsort(wanted, kind="stable")
    steps = np.sign(np.diff(given[by_label].astype(np.float64)))
    of_labels = np.sign(np.diff(wanted[by_label].astype(np.float64)))
    return bool((steps == of_labels).all() or (steps == -of_labels).all())
