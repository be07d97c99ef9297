"""IDX files: read as they were written, and named when they are damaged or something else."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bnbench.datasets.idx import read_idx
from bnbench.errors import UserError

IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
CODES = {"|u1": 0x08, "|i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def encoded(array: np.ndarray) -> bytes:
    header = bytes([0, 0, CODES[array.dtype.str], array.ndim])
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def written(folder: Path, content: bytes, *, name: str = "images-idx3-ubyte.gz") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


# each example overwrites the file of the one before
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=arrays.arrays(
        st.sampled_from(sorted(CODES)), arrays.array_shapes(max_dims=3, max_side=5), elements={"allow_nan": False}
    ),
    compressed=st.booleans(),
)
def test_what_was_written_is_read(tmp_path: Path, array: np.ndarray, compressed: bool) -> None:
    content = gzip.compress(encoded(array)) if compressed else encoded(array)
    read = read_idx(written(tmp_path, content))
    assert read.dtype == array.dtype
    assert (read == array).all()
    assert read.shape == array.shape


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_gz_that_is_cut_off_is_named(tmp_path: Path, share: float) -> None:
    content = gzip.compress(encoded(IMAGES))
    path = written(tmp_path, content[: int(share * len(content))])
    with pytest.raises(UserError, match=rf"{path} is cut off or damaged .*fetch it again"):
        read_idx(path)


def test_gz_with_a_changed_byte_is_named(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(encoded(IMAGES)))
    content[-6] ^= 0xFF  # in the checksum that closes the file
    with pytest.raises(UserError, match="is cut off or damaged"):
        read_idx(written(tmp_path, bytes(content)))


@pytest.mark.parametrize("num_bytes", [4, 9, 15])
def test_file_that_is_cut_off_in_its_header_is_named(tmp_path: Path, num_bytes: int) -> None:
    with pytest.raises(UserError, match=rf"cut off within its header of 16 bytes: it has {num_bytes}"):
        read_idx(written(tmp_path, encoded(IMAGES)[:num_bytes]))


@pytest.mark.parametrize("change", [-1, 1])
def test_file_whose_length_disagrees_with_its_shape_is_named(tmp_path: Path, change: int) -> None:
    content = encoded(IMAGES)[:-1] if change < 0 else encoded(IMAGES) + b"\0"
    with pytest.raises(UserError, match=rf"holds {60 + change} bytes of values, its shape \(5, 4, 3\) takes 60"):
        read_idx(written(tmp_path, content))


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>404</html>", b"\n  <html></html>"])
@pytest.mark.parametrize("compressed", [False, True])
def test_web_page_in_place_of_the_file_is_named(tmp_path: Path, page: bytes, compressed: bool) -> None:
    path = written(tmp_path, gzip.compress(page) if compressed else page)
    with pytest.raises(UserError, match=rf"{path} is a web page or text, expected an IDX file"):
        read_idx(path)


@pytest.mark.parametrize("content", [b"", b"\0\0", b"PK\x03\x04zip", b"\0\0\x07\x01\0\0\0\0", b"\0\0\x08\0"])
def test_anything_else_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match="expected the magic number of an IDX file"):
        read_idx(written(tmp_path, content))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*absent: No such file"):
        read_idx(tmp_path / "absent")
