"""What may be removed from a folder of runs, decided from the disk alone and asked again just before it is removed.

A finished record stays unless another, which stays, holds all of its seeds bit for bit. Links are never followed.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bnbench.errors import UserError
from bnbench.records import Record, Skipped, finished_seeds, load_records
from bnbench.records.atomic import TEMPORARY_SUFFIX
from bnbench.records.check import read_record
from bnbench.records.checkpoint import CHECKPOINT_FILE, CheckpointHead, read_head
from bnbench.records.held_locks import HeldLock, held_locks
from bnbench.records.layout import (
    COSTS_FOLDER,
    DIAGNOSTICS_FILE,
    EXPERIMENTS_FOLDER,
    HISTORY_FILE,
    LOCKS_FOLDER,
    RECORD_PREFIX,
    RUN_FILE,
    TARGETS_FOLDER,
    cell_id_of,
)
from bnbench.records.lock import LEASE_SECONDS
from bnbench.records.sums import SUMS_FILE
from bnbench.runs_commands.copies import removable_copies, still_a_copy

OLD_SECONDS = 10 * LEASE_SECONDS
"""No writer takes so long over one file, and no living holder leaves its lock unrefreshed for so long."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A folder or file that may go, why, and its size; `still` says just before removal what speaks against it."""

    path: Path
    reason: str
    size_bytes: int
    cell_folder: Path | None
    still: Callable[[], str]


def find_removable(runs_dir: Path) -> tuple[list[Item], list[str]]:
    """Return what may be removed, by path, and what stays though it counts for nothing, with the reason."""
    runs = load_records(runs_dir)
    locks = held_locks(runs_dir)
    training = {lock.name for lock in locks if lock.alive}
    items: list[Item] = []
    kept: list[str] = []
    candidates: list[tuple[Path, str, Callable[[], str]]] = []
    for skipped in runs.skipped:
        if skipped.path.name.startswith(RECORD_PREFIX):
            if (skipped.path / RUN_FILE).exists() or not skipped.unfinished:
                kept.append(f"{skipped.path}: {skipped.reason}; its run.json is evidence: look, and remove it by hand")
                continue
            if strange := _not_of_a_record(skipped.path):
                kept.append(f"{skipped.path}: {skipped.reason}; but {strange}")
                continue
            if told := _to_be_gone_on_with(skipped.path):
                kept.append(f"{skipped.path}: {told}; the same command goes on from there")
                continue
            candidates.append((skipped.path, "unfinished: no run.json", partial(_still_unfinished, skipped.path)))
    for record in runs.failed:
        if _trained_since(record):
            candidates.append((record.path, "failed, and its seeds are trained since", partial(_still_failed, record)))
    for copy, original in removable_copies(runs, runs_dir):
        reason = f"exact copy of what {original.path.relative_to(runs_dir)} holds"
        candidates.append((copy.path, reason, partial(still_a_copy, copy, original)))
    for path, reason, still in candidates:
        problem = _foreign(path, runs_dir) or _busy(path, training)
        if problem:
            kept.append(f"{path}: {reason}, but {problem}")
        else:
            items.append(Item(path=path, reason=reason, size_bytes=_size(path), cell_folder=path.parent, still=still))
    kept += [f"{each.path}: {each.reason}" for each in runs.conflicts]
    gone = {item.path for item in items}
    items += [item for item in _temporaries(runs_dir) if item.path.parent not in gone]
    items += [item for record in runs.records for item in _checkpoint_of_finished(record, training)]
    items += [item for lock in locks if not lock.alive for item in _stale(lock)]
    return sorted(items, key=lambda item: str(item.path)), kept


def remove_item(item: Item) -> str:
    """Remove a folder or file unless something speaks against it by now; return what does, "" once it is gone."""
    if problem := item.still():
        return problem
    if item.path.is_symlink():
        return "it is a link now"
    if item.path.is_dir():
        shutil.rmtree(item.path)
    else:
        item.path.unlink(missing_ok=True)
    return ""


def _foreign(path: Path, runs_dir: Path) -> str:
    """Return why a path is not the folder's own: a link stands somewhere between them."""
    for part in (path, *path.parents):
        if part == runs_dir:
            return ""
        if part.is_symlink():
            return "it is reached by a link"
    return "it lies outside"


def _busy(path: Path, training: set[str]) -> str:
    try:
        return "its cell is being trained" if cell_id_of(path.parent) in training else ""
    except UserError:
        return ""


def _not_of_a_record(folder: Path) -> str:
    """Return why an unfinished folder may be somebody's own: its place, or what lies in it; "" if nothing says so."""
    try:
        cell_id_of(folder.parent)
    except UserError:
        return "it lies in no cell"
    names = (path.name for path in folder.iterdir())
    own = (HISTORY_FILE, DIAGNOSTICS_FILE, SUMS_FILE, CHECKPOINT_FILE)
    foreign = [name for name in names if name not in own and not _is_temporary(name)]
    return f"it holds {foreign[0]}, which is no part of a record" if foreign else ""


def _to_be_gone_on_with(folder: Path) -> str:
    """Return where a preempted batch was left, "" where there is none or some of its seeds are trained since."""
    head = read_head(folder)
    if not isinstance(head, CheckpointHead):
        return ""
    cells = dict(head.parts)
    siblings = [path for path in folder.parent.parent.iterdir() if path.name.rpartition("-")[2] in cells]
    trained = any(finished_seeds(path) & set(cells[cell_id_of(path)]) for path in siblings)
    return "" if trained else head.told


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(TEMPORARY_SUFFIX)


def _still_unfinished(path: Path) -> str:
    found = read_record(path)
    if isinstance(found, Skipped) and found.unfinished and not (path / RUN_FILE).exists():
        return _not_of_a_record(path) or _to_be_gone_on_with(path)
    return "it holds a run.json now"


def _trained_since(record: Record) -> bool:
    try:
        trained = finished_seeds(record.path.parent)
    except UserError:
        return False  # no cell folder: a record that somebody has moved
    return {entry["seed"] for entry in record.raw["seeds"]} <= trained


def _still_failed(record: Record) -> str:
    now = read_record(record.path)
    return "" if isinstance(now, Record) and now.status == "failed" and _trained_since(now) else "it changed since"


def _temporaries(runs_dir: Path) -> Iterator[Item]:
    """Yield what killed writers left, once it is too old for any writer to be still at it."""
    own = (EXPERIMENTS_FOLDER, TARGETS_FOLDER, COSTS_FOLDER, LOCKS_FOLDER)
    patterns = [f"{name}/.*{TEMPORARY_SUFFIX}" for name in own]
    patterns += [f"*/{RECORD_PREFIX}*/.*{TEMPORARY_SUFFIX}", "sweeps/*/.*.partial"]
    for pattern in patterns:
        for path in sorted(runs_dir.glob(pattern)):
            if path.is_file() and not _foreign(path, runs_dir) and _age(path) > OLD_SECONDS:
                yield Item(
                    path=path,
                    reason="temporary file of a writer that was killed",
                    size_bytes=_size(path),
                    cell_folder=None,
                    still=partial(_still_old, path),
                )


def _checkpoint_of_finished(record: Record, training: set[str]) -> Iterator[Item]:
    """Yield what a process left that was killed after it wrote the record, and before it removed its checkpoint."""
    path = record.path / CHECKPOINT_FILE
    if path.is_file() and not path.is_symlink() and not _busy(record.path, training):
        yield Item(
            path=path,
            reason="checkpoint of a finished record",
            size_bytes=_size(path),
            cell_folder=record.path.parent,
            still=lambda: "" if (record.path / RUN_FILE).exists() else "its record is gone",
        )


def _stale(lock: HeldLock) -> Iterator[Item]:
    if lock.seconds_since_sign_of_life > OLD_SECONDS:
        yield Item(
            path=lock.path,
            reason=f"lock of {lock.holder}, without a sign of life",
            size_bytes=_size(lock.path),
            cell_folder=None,
            still=partial(_still_old, lock.path),
        )


def _still_old(path: Path) -> str:
    return "" if _age(path) > OLD_SECONDS else "it is written or held now"


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    inside = path.rglob("*") if path.is_dir() else iter([path])
    return sum(each.lstat().st_size for each in inside if each.is_file() or each.is_symlink())
