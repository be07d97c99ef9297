"""Arrays that stay in their file: where their numbers lie in it, and the table they make without being read."""

import math
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bnbench.datasets.bad_values import bad_values
from bnbench.datasets.idx import VALUE_TYPES, read_idx
from bnbench.datasets.labels import NUMBERS, read_labels
from bnbench.datasets.mapped import MappedArray
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.storage import stays_in_file
from bnbench.datasets.table import Table

# of a zip's member: the lengths of its name and of what else it says of itself
LOCAL_HEADER = struct.Struct("<26x2H")
PIXEL_MAXIMUM = 255.0


@dataclass(frozen=True)
class Place:
    """Where an array in C order lies in a file, and the labels where those lie elsewhere."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    labels: NDArray[Any] | None = None


def map_table(path: Path, ending: str, config: DatasetConfig) -> Table | None:
    """Return the table of an array that stays in its file; None where it is to be read.

    That is where `dataset.storage` wants it read, or it is none of numbers without gaps in C order and uncompressed,
    or its columns are treated apart. Whatever is wrong with the file or the configuration, reading it says.
    """
    if ending not in PLACES or config.ignore_columns or config.categorical_columns or config.split_column is not None:
        return None
    try:
        place = PLACES[ending](path)
    except (ValueError, OSError, EOFError, KeyError, struct.error, zipfile.BadZipFile):
        return None
    if place is None or place.dtype.kind not in NUMBERS or len(place.shape) < 2 or 0 in place.shape:
        return None
    if place.labels is None:
        return _of_one(path, place, config)
    return _of_pair(path, place, place.labels, config)


def _of_one(path: Path, place: Place, config: DatasetConfig) -> Table | None:
    """Return the table of the column `dataset.target_column`; numbers are float64, as where columns are read."""
    width = place.shape[1]
    text = str(config.target_column)
    if len(place.shape) != 2 or not text.removeprefix("-").isdecimal() or not -width <= int(text) < width:
        return None
    array = MappedArray(path, offset=place.offset, dtype=place.dtype, shape=place.shape, as_dtype=np.dtype(np.float64))
    if not stays_in_file(array, config) or _has_gaps(array):
        return None
    target = int(text) % width
    labels = array.stored_column(target)
    if labels.dtype.kind != "b":
        whole = np.uint64 if labels.dtype == np.uint64 else np.int64
        labels = labels.astype(whole if labels.dtype.kind in "iu" else np.float64)
    others = np.delete(np.arange(width), target)
    at_an_end = {0: slice(1, None), width - 1: slice(0, width - 1)}
    inputs = MappedArray(
        path,
        offset=place.offset,
        dtype=place.dtype,
        shape=place.shape,
        as_dtype=array.dtype,
        columns=at_an_end.get(target, others),
    )
    what = f"the target column '{target}'"
    kind, labels, class_names = read_labels(labels, kind=config.kind, name=config.name, what=what)
    names = tuple(str(column) for column in others)
    return Table(config.name, kind, inputs, labels, class_names=class_names, feature_names=names)


def _of_pair(path: Path, place: Place, labels: NDArray[Any], config: DatasetConfig) -> Table | None:
    """Return the table of an array and the labels beside it."""
    rows = place.shape[0]
    if config.target_column is not None or labels.shape not in ((rows,), (rows, 1)):
        return None
    array = MappedArray(path, offset=place.offset, dtype=place.dtype, shape=place.shape)
    labels = labels.reshape(rows).astype(labels.dtype.newbyteorder("="), copy=False)
    if not stays_in_file(array, config) or _has_gaps(array) or (labels.dtype.kind == "f" and np.isnan(labels).any()):
        return None
    kind, labels, class_names = read_labels(labels, kind=config.kind, name=config.name)
    maximum = PIXEL_MAXIMUM if place.dtype == np.uint8 else None
    return Table(config.name, kind, array, labels, class_names=class_names, maximum=maximum)


def _has_gaps(array: MappedArray) -> bool:
    bad = bad_values(array)
    return bad is not None and bad.missing


def _in_npy(path: Path) -> Place | None:
    with path.open("rb") as opened:
        return _header(opened)


def _in_npz(path: Path) -> Place | None:
    with path.open("rb") as opened, zipfile.ZipFile(opened) as archive:
        members = {Path(info.filename).stem.lower(): info for info in archive.infolist()}
        has_labels = {"x", "y"} <= members.keys()
        if not has_labels and len(members) != 1:
            return None
        info = members["x"] if has_labels else next(iter(members.values()))
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        labels = None
        if has_labels:
            with archive.open(members["y"]) as member:
                labels = np.lib.format.read_array(member, allow_pickle=False)
        opened.seek(info.header_offset)
        opened.seek(sum(LOCAL_HEADER.unpack(opened.read(LOCAL_HEADER.size))), 1)
        return _header(opened, labels=labels)


def _in_idx(path: Path) -> Place | None:
    with path.open("rb") as opened:
        head = opened.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in VALUE_TYPES:
            return None
        shape = struct.unpack(f">{head[3]}I", opened.read(4 * head[3]))
    labels = None
    if "images" in path.name:
        beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
        if not beside.exists():
            return None
        labels = read_idx(beside)
    return Place(4 + 4 * head[3], np.dtype(VALUE_TYPES[head[2]]), shape, labels)


def _header(opened: IO[bytes], *, labels: NDArray[Any] | None = None) -> Place | None:
    """Return the place an array of NumPy's format has where the file stands; None for another order or objects."""
    version = np.lib.format.read_magic(opened)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, in_fortran_order, dtype = read(opened)
    if dtype.hasobject or dtype.names is not None or (in_fortran_order and math.prod(shape[1:]) > 1):
        return None
    return Place(opened.tell(), dtype, shape, labels)


PLACES = {".npy": _in_npy, ".npz": _in_npz, ".idx": _in_idx}
