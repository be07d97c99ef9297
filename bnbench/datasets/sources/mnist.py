"""MNIST, 60,000 + 10,000 handwritten digits of 28 x 28 pixels; and mnist_5k, another data set made of some of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnbench.datasets.data_folder import kept_file, read_kept
from bnbench.datasets.files.content import find_file
from bnbench.datasets.files.delimited import read_delimited
from bnbench.datasets.files.parquet import read_parquet
from bnbench.datasets.idx import read_idx_folder
from bnbench.datasets.obtain import how_to_obtain
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.sources.open_ml import fetch_frame
from bnbench.datasets.table import SOURCES, Table
from bnbench.errors import UserError, nearest

NUM_PIXELS = 28 * 28
DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Digits:
    """Rows per digit in the training and the official test part: neither data set is ever taken for the other."""

    train: tuple[int, ...]
    test: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        return sum(self.train) + sum(self.test)


KNOWN = {
    "mnist": Digits(
        train=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        test=(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    ),
    "mnist_5k": Digits(train=(500,) * 10),
}
IDX_FILES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte")


@SOURCES.register("mnist")
def mnist(config: DatasetConfig) -> Table:
    """Return the images of `mnist`, its official test part last, or those of `mnist_5k`, which has none.

    `mnist` is read from `config.path`, a folder with its four IDX files, or from OpenML; `mnist_5k` from the data
    folder, or from `config.path`, a CSV or Parquet file with the label in the last column. Raises UserError when there
    is none of these, and for a file whose digits are as many as those of another data set.
    """
    if config.name not in KNOWN:
        raise UserError(f"dataset.name={config.name} is no part of MNIST; {nearest(config.name, KNOWN)}")
    pixels, labels = _rows_of_mnist(config) if config.name == "mnist" else _rows_of_mnist_5k(config)
    _check(labels, config=config)
    return Table(
        name=config.name,
        kind="classification",
        inputs=pixels,
        labels=labels,
        class_names=DIGITS,
        num_official_test=sum(KNOWN[config.name].test),
        maximum=255.0,
    )


def _rows_of_mnist(config: DatasetConfig) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if config.path is None:
        frame, _ = fetch_frame(config)
        return _pixels_and_labels(frame, place="OpenML")
    if Path(config.path).expanduser().is_file():
        raise UserError(
            f"dataset.path={config.path} is a file, expected the folder with the four IDX files of MNIST; a table of "
            "its first rows is another data set (dataset=mnist_5k, or dataset=file for one of your own)"
        )
    arrays = read_idx_folder(Path(config.path).expanduser(), IDX_FILES, data_name="MNIST")
    images, labels = ([arrays[name] for name in IDX_FILES if what in name] for what in ("images", "labels"))
    pixels = np.concatenate([part.reshape(len(part), -1) for part in images])
    return pixels, np.concatenate(labels).astype(np.int64)


def _rows_of_mnist_5k(config: DatasetConfig) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if config.path is not None:
        path = find_file(config.path, checksum=config.checksum)
        frame = read_parquet(path) if ".parquet" in path.suffixes else read_delimited(path)[0]
        return _pixels_and_labels(frame, place=str(path))
    kept = read_kept(config.name)
    if kept is None:
        raise UserError(f"mnist_5k is not here: {how_to_obtain(config.name)} (looked for {kept_file(config.name)})")
    return _pixels_and_labels(kept, place=str(kept_file(config.name)))


def _pixels_and_labels(frame: pd.DataFrame, *, place: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pixels and digits of a table whose last column is the digit."""
    if frame.shape[1] != NUM_PIXELS + 1:
        raise UserError(f"{place}: {frame.shape[1]} columns, expected {NUM_PIXELS} pixels and the digit")
    try:
        values: NDArray[Any] = frame.to_numpy(dtype=np.float64)
    except ValueError as error:
        raise UserError(f"{place}: {error}; expected {NUM_PIXELS} pixels from 0 to 255 and the digit") from error
    whole = values.astype(np.uint8)
    if not (whole == values).all():
        raise UserError(
            f"{place}: a value is no whole number from 0 to 255; expected {NUM_PIXELS} pixels and the digit"
        )
    return whole[:, :-1], whole[:, -1].astype(np.int64)


def _check(labels: NDArray[np.int64], *, config: DatasetConfig) -> None:
    known = KNOWN[config.name]
    if len(labels) != known.rows:
        other = [name for name, digits in KNOWN.items() if digits.rows == len(labels)]
        is_other = f", as many as '{other[0]}', another data set: dataset={other[0]}" if other else ""
        raise UserError(f"dataset={config.name} has {known.rows:,} rows, found {len(labels):,}{is_other}")
    for part, counts, rows in (
        ("training", known.train, labels[: sum(known.train)]),
        ("test", known.test, labels[sum(known.train) :]),
    ):
        found = np.bincount(rows, minlength=10)
        if counts and tuple(found.tolist()) != counts:
            digit = int((found[:10] != counts).argmax())
            raise UserError(
                f"dataset={config.name}: the {part} part has {found[digit]} rows of digit {digit}, expected "
                f"{counts[digit]}: another data set, or one in another order"
            )
