"""One process per cell: a lock that a killed holder does not keep and that works over shared folders."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import LeaseSettingsMismatch, SoftFileLease, Timeout

from bnbench.errors import UserError
from bnbench.records import atomic
from bnbench.records.layout import LOCKS_FOLDER, cell_id_of

LEASE_SECONDS: float = 60.0
"""A claim that shows no sign of life for so long may be taken over, whichever host its holder ran on."""

_logger = logging.getLogger(__name__)


@contextmanager
def cell_lock(cell_folder: Path, *, lease_seconds: float = LEASE_SECONDS, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Yield True if this process now holds the cell, False if another live process does, and did not leave in time.

    The lock is RUNS_DIR/.locks/<cell_id>.lock, a file that names its holder and is refreshed while it is held, so it
    works for processes of one host and over shared folders without depending on their clocks. A holder of this host
    that died (kill -9, reboot) is replaced at once; one that hangs, or died on another host, once ``lease_seconds``
    pass without a sign of life: then, and only then, entering waits that long to be sure.

    A lease cannot stop a holder that was suspended and wakes up later. Two holders do no harm: each writes atomically,
    and a finished record is never overwritten.

    Raises UserError if the lock folder cannot be written.
    """
    with file_lock(_lock_path(cell_folder), lease_seconds=lease_seconds, wait_seconds=wait_seconds) as acquired:
        yield acquired


def holder(cell_folder: Path) -> str:
    """Return who holds the cell's lock, for messages: ``process 123 on host abc``, or ``no process``."""
    return _owner(SoftFileLease(_lock_path(cell_folder)))


@contextmanager
def file_lock(path: Path, *, lease_seconds: float = LEASE_SECONDS, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Yield whether this process holds the lock file, waiting up to ``wait_seconds`` for a live holder to leave."""
    lease = SoftFileLease(path, lease_duration=lease_seconds)
    acquired = False
    try:
        try:
            atomic.make_folder(path.parent)
            acquired = _acquire(lease, wait_seconds=wait_seconds)
        except LeaseSettingsMismatch as error:
            raise UserError(f"{path} is held by {_owner(lease)} under another lease: {error}") from error
        except OSError as error:
            raise atomic.cannot_write(path, error) from error
        yield acquired
    finally:
        if acquired:
            lease.release()
            if lease.compromise:
                _logger.warning(
                    "The lock %s was lost while it was held (%s): another process may have trained the same seeds",
                    path,
                    lease.compromise.reason,
                )


def _acquire(lease: SoftFileLease, *, wait_seconds: float) -> bool:
    # Twice: where files cannot be exchanged, the first attempt only removes a dead holder's lock.
    if _attempt(lease, timeout=0.0) or _attempt(lease, timeout=wait_seconds):
        return True
    if not _looks_expired(lease):
        return False
    _logger.warning(
        "%s shows no sign of life from %s; watching it for %g s", lease.lock_file, _owner(lease), lease.lease_duration
    )
    # The lease expires a claim only after watching it unchanged for the whole duration; the second is for the poll.
    return _attempt(lease, timeout=lease.lease_duration + 1.0)


def _attempt(lease: SoftFileLease, *, timeout: float) -> bool:
    try:
        lease.acquire(timeout=timeout)
    except Timeout:
        return False
    return True


def _looks_expired(lease: SoftFileLease) -> bool:
    """Return whether the lock file is older than its lease by the clock of the file system that dates it."""
    path = Path(lease.lock_file)
    try:
        refreshed = path.stat().st_mtime
    except FileNotFoundError:
        return True  # released this moment: worth one more attempt
    return atomic.folder_time(path.parent) - refreshed >= lease.lease_duration


def _owner(lease: SoftFileLease) -> str:
    owner = lease.owner
    return f"process {owner.pid} on host {owner.hostname}" if owner else "no process"


def _lock_path(cell_folder: Path) -> Path:
    return cell_folder.parent / LOCKS_FOLDER / f"{cell_id_of(cell_folder)}.lock"
