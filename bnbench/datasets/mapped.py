"""Rows that stay in their file: read where they lie as batches are cut, by way of the system's page cache."""

import mmap
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor

from bnbench.errors import UserError

Rows = NDArray[np.integer]
# Rows are read in blocks of so many bytes: they stay in the processor's cache for what is then done to them.
BLOCK_BYTES = 2**21


def floating_dtype(dtype: np.dtype[Any]) -> np.dtype[np.floating]:
    """Return the type numbers are preprocessed in.

    Pixels are exact in float32; wider numbers stay float64 until then, or a large offset would eat their digits.
    """
    narrow = dtype.kind in "biu" and dtype.itemsize <= 2
    return np.dtype(np.float32 if narrow or dtype == np.float32 else np.float64)


@dataclass(frozen=True)
class FileStamp:
    """What the system says of a file, and no one can leave unchanged who changes its content: `changed_ns` is set by
    the kernel alone."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, descriptor: int) -> "FileStamp":
        """Return the stamp of an open file."""
        status = os.fstat(descriptor)
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


class MappedArray:
    """A matrix (rows, features) in a file, in C order from byte `offset` on; nothing of it is held in memory.

    `shape` is that of the array in the file, (rows, ...); all but the rows is one axis of features, of which `columns`
    are a choice. Indexing returns a new array, in the byte order of this machine, or as `as_dtype`. The file stays
    open: one put in its place does not reach those who read this one. Raises UserError where the file is shorter than
    the array, and from then on wherever it has changed.
    """

    ndim = 2

    def __init__(
        self,
        path: str | Path,
        *,
        offset: int,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        columns: NDArray[np.intp] | slice | None = None,
        as_dtype: np.dtype[Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.offset = offset
        self.stored_dtype = np.dtype(dtype)
        self.stored_shape = shape
        self.columns = columns
        self.dtype = as_dtype or self.stored_dtype.newbyteorder("=")
        width = int(np.prod(shape[1:], dtype=np.int64))
        self.shape = (shape[0], width if columns is None else len(np.arange(width)[columns]))
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise UserError(f"cannot read {self.path}: {error.strerror}") from error
        weakref.finalize(self, os.close, self._descriptor)
        self.stamp = FileStamp.of(self._descriptor)
        row_bytes = width * self.stored_dtype.itemsize
        self.stored_bytes = shape[0] * row_bytes
        needed = offset + self.stored_bytes
        if self.stamp.size < needed:
            raise UserError(
                f"{self.path} is cut off: an array of shape {shape} of {self.stored_dtype} takes {needed} bytes, the "
                f"file has {self.stamp.size}; write or fetch it again"
            )
        mapping = mmap.mmap(self._descriptor, needed, access=mmap.ACCESS_READ)
        # As bytes: rows are copied whole, wherever they begin, before they are looked at as numbers. As an array of
        # numbers that begin at an odd place (members of an NPZ do), NumPy would copy all of it first.
        stored = np.frombuffer(mapping, dtype=np.uint8, offset=offset, count=self.stored_bytes)
        self._bytes = stored.reshape(shape[0], row_bytes)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | Rows | tuple[Rows, int]) -> NDArray[Any]:
        """Return a copy of rows (k, features) by numbers or a slice, or the values (k,) of one feature in some rows."""
        if isinstance(index, tuple):
            rows, column = index
            return np.concatenate([self[rows[part]][:, column] for part in self.block_slices(len(rows))])
        self.check_unchanged()
        chosen = self._bytes[index].copy() if isinstance(index, slice) else np.take(self._bytes, index, axis=0)
        values = chosen.view(self.stored_dtype)
        if self.columns is not None:
            values = values[:, self.columns]
        return np.ascontiguousarray(values, dtype=self.dtype)

    def stored_column(self, column: int) -> NDArray[Any]:
        """Return one column of those in the file, of all rows, in its own type."""
        self.check_unchanged()
        size = self.stored_dtype.itemsize
        values = self._bytes[:, column * size : (column + 1) * size].copy().view(self.stored_dtype)[:, 0]
        return values.astype(self.stored_dtype.newbyteorder("="), copy=False)

    def block_slices(self, rows: int) -> list[slice]:
        """Return slices that cut so many rows into blocks."""
        block = max(1, BLOCK_BYTES // max(1, self._bytes.shape[1]))
        return [slice(start, min(start + block, rows)) for start in range(0, rows, block)]

    def check_unchanged(self) -> None:
        """Raise UserError where the file is not what it was when it was opened.

        Asked before every reading, for a microsecond: of a file that has become shorter the system would answer with
        the end of the process.
        """
        status = os.fstat(self._descriptor)
        if status.st_size != self.stamp.size or status.st_mtime_ns != self.stamp.modified_ns:
            raise UserError(
                f"{self.path} was changed while it was in use ({self.stamp.size} bytes then, {status.st_size} now): "
                "what was trained on it since is dropped; leave the file alone and start again"
            )


@dataclass(frozen=True, eq=False)
class Affine:
    """x ↦ (x - shift) / scale per feature, in the type of x; None leaves that step out."""

    shift: NDArray[np.floating] | None = None
    scale: NDArray[np.floating] | None = None

    def apply(self, values: NDArray[np.floating]) -> None:
        """Transform values (rows, features) in place."""
        if self.shift is not None:
            values -= self.shift
        if self.scale is not None:
            values /= self.scale


class MappedRows:
    """Rows of one part of a data set, in their file: float32 tensors cut from it, preprocessed as they are cut.

    `array[rows]`, transformed by `affine`. To those who train it is a tensor (rows, features) that has a length, a
    shape, slices and `take`.
    """

    def __init__(self, array: MappedArray, rows: Rows, affine: Affine | None = None) -> None:
        self.array = array
        self.rows = rows.astype(np.intp, copy=False)
        self.affine = affine or Affine()
        self._floating_dtype = floating_dtype(array.dtype)
        self.shape = torch.Size((len(rows), array.shape[1]))
        self.dtype = torch.float32

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice) -> Float[Tensor, "rows features"]:
        return self._tensor(self.rows[index])

    def take(self, row_numbers: Int64[Tensor, " k"]) -> Float[Tensor, "k features"]:
        """Return the rows of these numbers, on the CPU."""
        return self._tensor(self.rows[row_numbers.numpy()])

    def floating(self, index: slice) -> NDArray[np.floating]:
        """Return rows as they are before they are transformed, in the type in which they are."""
        return self._floating(self.rows[index])

    def slices(self) -> list[slice]:
        """Return slices that cut the rows into blocks that stay in the processor's cache."""
        return self.array.block_slices(len(self))

    def check_unchanged(self) -> None:
        """Raise UserError where the file has changed since it was opened."""
        self.array.check_unchanged()

    def _floating(self, rows: NDArray[np.intp]) -> NDArray[np.floating]:
        return self.array[rows].astype(self._floating_dtype, copy=False)

    def _tensor(self, rows: NDArray[np.intp]) -> Tensor:
        values = self._floating(rows)
        self.affine.apply(values)
        return torch.from_numpy(values.astype(np.float32, copy=False))


Read = TypeVar("Read")


def read_ahead(read: Callable[[slice], Read], slices: Sequence[slice]) -> Iterator[Read]:
    """Yield `read(part)` of each slice in turn; a second thread reads one ahead."""
    with ThreadPoolExecutor(1) as reader:
        ahead: Future[Read] | None = None
        for part in slices:
            current, ahead = ahead, reader.submit(read, part)
            if current is not None:
                yield current.result()
        if ahead is not None:
            yield ahead.result()
