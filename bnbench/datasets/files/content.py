"""What lies at a path, before anything is made of it: there, a file, whole, of the right checksum, no web page."""

import gzip
import hashlib
import zlib
from difflib import get_close_matches
from pathlib import Path

from bnbench.errors import UserError, nearest

GZIP_MAGIC = b"\x1f\x8b"
# what something else than data begins with, in small letters: what it is
IMPOSTORS = {
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML document",
    b"<": "a web page or XML",
    b"version https://git-lfs": "a pointer of Git LFS, not the file it stands for",
}


def find_file(path: str | Path, *, checksum: str | None = None) -> Path:
    """Return the path of a file that is there and has something in it.

    Raises UserError for a missing file, with the nearest one of its folder; for a folder; for an empty file; and for
    one of another SHA-256 than `checksum`.
    """
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise UserError(f"dataset.path={path} is a folder, expected a file in it; {_files_of(file)}")
        if not file.exists():
            raise UserError(f"dataset.path={path}: no such file; {_nearest_file(file)}")
        if file.stat().st_size == 0:
            raise UserError(f"dataset.path={path} is empty (0 bytes): fetch it again")
        if checksum is not None:
            _check_sum(file, checksum)
    except OSError as error:
        raise UserError(f"dataset.path={path} cannot be read: {error.strerror}") from error
    return file


def read_content(path: Path) -> bytes:
    """Return the bytes of a file, unpacked where they are gzipped; raises UserError where they cannot be."""
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


def refuse_impostor(content: bytes, path: Path, *, expected: str) -> None:
    """Raise UserError for what a failed download leaves in the place of the data."""
    beginning = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in IMPOSTORS.items():
        if beginning.startswith(start):
            raise UserError(f"{path} is {what}, expected {expected}: what answered the download was not the data")


def _check_sum(file: Path, checksum: str) -> None:
    wanted = checksum.lower().removeprefix("sha256:")
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != wanted:
        raise UserError(
            f"dataset.checksum={checksum}: {file} has the SHA-256 {found}, so it is another file or a changed one; "
            "fetch it again, or set dataset.checksum to what it is meant to be"
        )


def _nearest_file(file: Path) -> str:
    folder = file.parent
    if not folder.is_dir():
        known = next(parent for parent in folder.parents if parent.is_dir())
        return f"there is no folder {folder}, only {known.resolve()}"
    files = [found.name for found in folder.iterdir() if found.is_file()]
    where = f"in {folder.resolve()}"
    if not get_close_matches(file.name, files, n=1):
        return f"nothing of a name like it is {where}"
    return f"{where}: {nearest(file.name, files)}"


def _files_of(folder: Path) -> str:
    files = sorted(found.name for found in folder.iterdir() if found.is_file())
    return nearest("", files) if files else "it has none"
