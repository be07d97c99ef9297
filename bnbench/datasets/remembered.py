"""What was found out about large files by reading all of them, kept in the user's cache folder for the next time."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bnbench.datasets.mapped import MappedArray

# To be raised whenever something else would be found in the same file.
VERSION = 2
# Smaller arrays are read again each time: that takes a tenth of a second.
WORTH_REMEMBERING_BYTES = 2**26
# The finest step of the clocks of file systems, and some more: a file changed within one step has one time twice.
SETTLED_NS = 100_000_000


def remember(
    what: str, array: MappedArray, key: Mapping[str, Any], find_out: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return `find_out()` (JSON), or what it returned before for the same file and key.

    The file is the same by path, inode, size, and its times of writing and of change, the second of which no program
    can set: one that is written anew, or in place with its size and time of writing put back, is read again. One
    changed less than 0.1 s ago is not remembered. A cache that cannot be read or written is none.
    """
    if array.stored_bytes < WORTH_REMEMBERING_BYTES:
        return find_out()
    place = cache_folder() / f"{what}-{_digest(array, key)}.json"
    try:
        known = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or cut off
        known = None
    if isinstance(known, dict):
        return known
    settled = time.time_ns() - max(array.stamp.changed_ns, array.stamp.modified_ns) > SETTLED_NS
    found = find_out()
    array.check_unchanged()
    if settled:
        _write(place, json.dumps(found))
    return found


def cache_folder() -> Path:
    """Return the folder of the user's cache that is ours; what is in it may be deleted at any time."""
    root = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(root) / "bnbench" / "files"


def _digest(array: MappedArray, key: Mapping[str, Any]) -> str:
    stamp = array.stamp
    columns = array.columns.tolist() if isinstance(array.columns, np.ndarray) else str(array.columns)
    described = {
        "version": VERSION,
        "file": [str(array.path.resolve()), stamp.device, stamp.inode, stamp.size, stamp.modified_ns, stamp.changed_ns],
        "array": [array.offset, array.stored_dtype.str, array.dtype.str, array.stored_shape, columns],
        **key,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def _write(place: Path, text: str) -> None:
    """Write at once or not at all; several processes may."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as written:
            written.write(text)
        os.replace(written.name, place)  # noqa: PTH105
    except OSError:  # a home without a place to write to: the file is read again next time
        return
