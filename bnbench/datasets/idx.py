"""The IDX format of the MNIST family: a magic number, a shape, and the values in big-endian order; gzipped or not."""

import math
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.datasets.files.content import read_content
from bnbench.errors import UserError

# third byte of the magic number: what the values are
VALUE_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> NDArray[Any]:
    """Return the array in an IDX file; raises UserError for a file that is missing, cut off or something else."""
    content = read_content(path)
    if content[:1].isspace() or content[:1] == b"<":
        raise UserError(
            f"{path} is a web page or text, expected an IDX file: what answered the download was not the data"
        )
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in VALUE_TYPES or content[3] == 0:
        raise UserError(
            f"{path} begins with {content[:4].hex(' ') or 'nothing'}, expected the magic number of an IDX file"
        )
    num_dimensions = content[3]
    offset = 4 + 4 * num_dimensions
    if len(content) < offset:
        raise UserError(f"{path} is cut off within its header of {offset} bytes: it has {len(content)}; fetch it again")
    shape = struct.unpack(f">{num_dimensions}I", content[4:offset])
    dtype = np.dtype(VALUE_TYPES[content[2]])
    expected = math.prod(shape) * dtype.itemsize
    if len(content) - offset != expected:
        raise UserError(
            f"{path} holds {len(content) - offset} bytes of values, its shape {shape} takes {expected}; fetch it again"
        )
    return np.frombuffer(content, dtype=dtype, offset=offset).reshape(shape)


def read_idx_folder(folder: Path, names: Collection[str], *, data_name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays in the files of these names, gzipped or not; raises UserError for one that is missing."""
    if not folder.is_dir():
        raise UserError(f"dataset.path={folder} is not a folder; expected one with {', '.join(names)} (.gz or not)")
    return {name: read_idx(_file(folder, name, data_name=data_name)) for name in names}


def _file(folder: Path, name: str, *, data_name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            return path
    raise UserError(f"{folder} has neither {name}.gz nor {name}; expected the four IDX files of {data_name}")
