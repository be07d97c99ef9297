"""Files that appear whole or not at all, whatever kills the process or fills the disk."""

import errno
import os
import secrets
from pathlib import Path

from bnbench.errors import UserError

TEMPORARY_SUFFIX = ".tmp"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
# Some network and FUSE file systems have no fsync for folders: there the rename is as durable as they make it.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that any reader, at any time, finds the old content or the new, never a part of it.

    The content goes to a hidden temporary file in the same folder and is flushed to the disk before the rename, and the
    folder after it. If anything fails the temporary file is removed and the old content stays; a process killed in
    between leaves a ``*.tmp`` file, which no reader looks at and ``remove_temporaries`` removes.

    Raises UserError, naming the path and what to do, if the disk is full or the folder cannot be written.
    """
    # A name of its own: two writers that share one would mix their bytes.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        # Not tempfile, whose files nobody else may read: a runs folder is often shared.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_file(path: Path) -> None:
    """Remove a file, durably, if it is there; raises UserError where it cannot be removed."""
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents, durably, unless it is there; raises UserError where it cannot be created."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left in a folder. No other process may be writing to it."""
    for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        remove_file(path)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk, where the system can: a rename is durable only after that."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return the message for a failed write: the path, the system's reason, and what mends it."""
    if error.errno in _FULL:
        advice = "free some space or set runs_dir to a folder on another disk"
    elif error.errno in _READ_ONLY:
        path = _folder_that_is_there(path)  # one message for all that would lie in it
        advice = "make the folder writable or set runs_dir to one that is"
    elif error.errno in _NOT_A_FOLDER:
        advice = "a file lies where a folder is needed: move it or set runs_dir to another folder"
    else:
        advice = "check the disk or set runs_dir to another folder"
    reason = error.strerror or str(error)
    return UserError(f"{path} cannot be written ({reason}): {advice}; then run the same command again")


def _folder_that_is_there(path: Path) -> Path:
    return next((parent for parent in path.parents if parent.is_dir()), path)


def folder_time(folder: Path) -> float:
    """Return the present time, in seconds, as the file system of this folder dates its files.

    On a shared folder that is the server's clock; comparing its dates with this host's clock would mix two clocks.
    """
    probe = folder / f".clock-{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    try:
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
