"""Looking at the locks of a folder of runs without taking any: who holds what, and is that process alive?"""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import SoftFileLease

from bnbench.records.layout import LOCKS_FOLDER
from bnbench.records.lock import LEASE_SECONDS


@dataclass(frozen=True, kw_only=True)
class HeldLock:
    """One lock file; `name` is a cell_id, or that of an index or a ladder. `alive` is what can be told from here."""

    path: Path
    name: str
    host: str | None
    process: int | None
    seconds_since_sign_of_life: float
    alive: bool

    @property
    def holder(self) -> str:
        """Return who holds it: ``process 123 on host abc``."""
        return "nobody that can be told" if self.process is None else f"process {self.process} on host {self.host}"


def held_locks(runs_dir: Path) -> list[HeldLock]:
    """Return the locks of a folder of runs by name; a lock that vanishes meanwhile is left out.

    A holder is alive if it has refreshed its lock within a lease; one of this host, if its process exists as well.
    """
    folder = runs_dir / LOCKS_FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return []
    found = (_look(path) for path in sorted(folder.glob("*.lock")) if not path.is_symlink())
    return [lock for lock in found if lock is not None]


def _look(path: Path) -> HeldLock | None:
    try:
        age = max(0.0, time.time() - path.stat().st_mtime)
        owner = SoftFileLease(path, lease_duration=LEASE_SECONDS).owner
    except OSError:
        return None
    # Clocks of two hosts differ: a lock may look younger than it is, never be called dead before the holder's host can.
    here = owner is not None and owner.hostname == socket.gethostname()
    alive = age < LEASE_SECONDS and (owner is None or not here or _exists(owner.pid))
    return HeldLock(
        path=path,
        name=path.stem,
        host=owner.hostname if owner else None,
        process=owner.pid if owner else None,
        seconds_since_sign_of_life=age,
        alive=alive,
    )


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # it exists and is another user's, or this system cannot tell
    return True
