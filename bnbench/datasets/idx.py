"""The IDX format of the MNIST family: a magic number, a shape, and the values in big-endian order; gzipped or not."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import UserError

GZIP_MAGIC = b"\x1f\x8b"
# third byte of the magic number: what the values are
VALUE_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> NDArray[Any]:
    """Return the array in an IDX file; raises UserError for a file that is missing, cut off or something else."""
    content = _content(path)
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


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is cut off or damaged ({len(content)} bytes: {error}); fetch it again") from error
