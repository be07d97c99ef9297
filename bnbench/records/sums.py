"""SHA256SUMS beside a record: what tells a changed digit, which nothing else would, from the one that was written.

The format is that of `sha256sum`, so `sha256sum --check SHA256SUMS` checks a record by hand. A record without the file,
as older versions wrote them, is read as it is.
"""

import hashlib
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from bnbench.records.layout import DIAGNOSTICS_FILE, HISTORY_FILE, RUN_FILE

SUMS_FILE = "SHA256SUMS"

_LINE = re.compile(rb"([0-9a-f]{64})  ([A-Za-z0-9_.-]{1,64})")
_LISTED = {RUN_FILE, HISTORY_FILE, DIAGNOSTICS_FILE}
_MAX_BYTES = 4096


def sums_text(files: Mapping[str, bytes]) -> bytes:
    """Return the content of SHA256SUMS for files by name."""
    return "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(files.items())).encode()


def sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes as hex digits."""
    return hashlib.sha256(content).hexdigest()


def read_sums(folder: Path) -> dict[str, str] | str | None:
    """Return the digests by file name, what is wrong with SHA256SUMS, or None where there is none."""
    path = folder / SUMS_FILE
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            return f"{SUMS_FILE} is no list of checksums"
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{SUMS_FILE} cannot be read ({error.strerror})"
    found = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2].decode(): match[1].decode() for match in found if match}
    if not all(found) or len(sums) != len(lines) or RUN_FILE not in sums or sums.keys() - _LISTED:
        return f"{SUMS_FILE} is damaged"
    return sums


def mismatch(name: str) -> str:
    """Return what is said of a file that is not the one that was written."""
    return f"{name} conflicts with {SUMS_FILE} beside it: it was changed or damaged since it was written"
