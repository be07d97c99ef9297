"""NumPy's .npy and .npz, and IDX: arrays without names of columns."""

import io
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnbench.datasets.columns import table_from_frame
from bnbench.datasets.files.content import read_content, refuse_impostor
from bnbench.datasets.idx import read_idx
from bnbench.datasets.labels import NUMBERS, read_labels
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Table
from bnbench.errors import UserError

LABELS = "y"
# What numpy raises for files that are not its own, cut off, or hold objects; the last two are the zip's.
BROKEN = (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error)
PIXEL_MAXIMUM = 255.0


def read_npz(path: Path, config: DatasetConfig) -> Table:
    """Return the table of the arrays X and y, or of one array whose column `dataset.target_column` is predicted."""
    arrays = _load_all(path)
    by_name = {name.lower(): name for name in arrays}
    if len(by_name) < len(arrays):
        raise UserError(f"{path} has the arrays {', '.join(arrays)}: names that differ by case only; expected X and y")
    if {"x", "y"} <= by_name.keys():
        if config.target_column is not None:
            raise UserError(f"dataset.target_column={config.target_column}: {path} has its labels in y; expected null")
        return _table(arrays[by_name["x"]], arrays[by_name["y"]], config=config, path=path)
    if len(arrays) == 1:
        (array,) = arrays.values()
        return _of_one(array, config=config, path=path)
    raise UserError(f"{path} has the arrays {', '.join(arrays) or 'of nothing'}; expected X and y, or a single one")


def read_npy(path: Path, config: DatasetConfig) -> Table:
    """Return the table of an array whose column `dataset.target_column` is predicted."""
    content = read_content(path)
    refuse_impostor(content, path, expected="an array of NumPy's")
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except BROKEN as error:
        raise _refusal(path, str(error)) from error
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} holds several arrays, expected one; name it .npz")
    return _of_one(array, config=config, path=path)


def read_idx_pair(path: Path, config: DatasetConfig) -> Table:
    """Return the table of images and of the labels in the file beside it, or of one array with a target column."""
    values = read_idx(path)
    if "images" not in path.name:
        return _of_one(values, config=config, path=path)
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if config.target_column is not None:
        raise UserError(
            f"dataset.target_column={config.target_column}: the labels of {path.name} are in {beside.name}; expected "
            "null"
        )
    if not beside.exists():
        raise UserError(f"{path} holds images; their labels are missing, expected in {beside}")
    return _table(values, read_idx(beside), config=config, path=path)


def _of_one(array: NDArray[Any], *, config: DatasetConfig, path: Path) -> Table:
    if array.dtype.names is None and array.ndim != 2:
        raise UserError(f"{path}: an array of shape {array.shape}, expected (rows, columns)")
    if array.dtype.kind == "c":
        raise UserError(f"{path}: an array of complex numbers, expected real ones")
    if config.target_column is None:
        raise UserError(
            "dataset.target_column=null: number the column to predict, from 0, or from the end with -1; "
            f"{path.name} has {len(array.dtype.names) if array.dtype.names else array.shape[1]}"
        )
    return table_from_frame(pd.DataFrame(_native(array)), config)


def _table(inputs: NDArray[Any], labels: NDArray[Any], *, config: DatasetConfig, path: Path) -> Table:
    """Return the table of two arrays; one with gaps or columns to be treated apart is read as columns are."""
    inputs, labels = _native(inputs), _native(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or inputs.ndim < 2 or len(inputs) != len(labels) or not len(labels):
        raise UserError(
            f"{path}: X of shape {inputs.shape} and y of shape {labels.shape}, expected (rows, features) and (rows,)"
        )
    if inputs.dtype.kind not in NUMBERS:
        raise UserError(f"{path}: X holds {inputs.dtype}, expected numbers; text belongs into CSV or Parquet")
    is_pixels = inputs.dtype == np.uint8
    inputs = inputs.reshape(len(inputs), -1)
    by_columns = config.ignore_columns or config.categorical_columns or config.split_column is not None
    if by_columns or _has_gaps(inputs) or _has_gaps(labels):
        frame = pd.DataFrame(inputs, columns=[str(column) for column in range(inputs.shape[1])])
        frame.insert(inputs.shape[1], LABELS, labels)
        return table_from_frame(frame, replace(config, target_column=LABELS))
    kind, labels, class_names = read_labels(labels, kind=config.kind, name=config.name)
    return Table(
        name=config.name,
        kind=kind,
        inputs=inputs,
        labels=labels,
        class_names=class_names,
        maximum=PIXEL_MAXIMUM if is_pixels else None,
    )


def _load_all(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as opened:
        refuse_impostor(opened.read(64), path, expected="arrays of NumPy's")
        opened.seek(0)
        try:
            loaded = np.load(opened, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"the only one": loaded}
            return {name: loaded[name] for name in loaded.files}
        except BROKEN as error:
            raise _refusal(path, str(error)) from error


def _refusal(path: Path, error: str) -> UserError:
    if "allow_pickle" in error or "pickle" in error:
        return UserError(
            f"{path} holds objects or is none of NumPy's files: objects are pickles, which run code when they are "
            "read, so they are not; save arrays of numbers, or a table as Parquet"
        )
    return UserError(f"{path} is none of NumPy's files, or one that is cut off or damaged ({error}); fetch it again")


def _has_gaps(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "f" and bool(np.isnan(values).any())


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in the byte order of this machine, which torch and pandas want."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
