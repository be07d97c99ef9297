"""Tolerant reading: every record that can be trusted, and by name every folder that cannot; one never costs another."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bnbench.errors import UserError
from bnbench.records import layout
from bnbench.records.check import read_record
from bnbench.records.overlap import Overlap as Overlap
from bnbench.records.overlap import without_overlaps
from bnbench.records.record import Record as Record
from bnbench.records.record import Skipped as Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What was found under some paths: the records that count, and everything that does not, by name."""

    records: list[Record] = field(default_factory=list)
    failed: list[Record] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    copies: list[Overlap] = field(default_factory=list)
    conflicts: list[Overlap] = field(default_factory=list)


def load_records(*paths: Path | str, check_history: bool = True) -> Runs:
    """Return every record under the paths: RUNS_DIRs, cell folders or single record folders.

    Whatever does not count is named in ``skipped``, ``copies`` or ``conflicts``; one bad file never costs another
    record. The same folder reached by two paths counts once. Order is by path. With ``check_history`` every history is
    read in full and compared with its run.json; without, only ``run.json`` is looked at.

    Raises UserError if a path does not exist or is not a folder.
    """
    found = [
        candidate if isinstance(candidate, Skipped) else read_record(candidate, check_history=check_history)
        for candidate in _distinct([Path(path) for path in paths])
    ]
    skipped = [item for item in found if isinstance(item, Skipped)]
    records = [item for item in found if isinstance(item, Record)]
    kept, overlaps = without_overlaps([record for record in records if record.status == "finished"])
    return Runs(
        records=kept,
        failed=[record for record in records if record.status == "failed"],
        skipped=skipped,
        copies=[overlap for overlap in overlaps if overlap.identical],
        conflicts=[overlap for overlap in overlaps if not overlap.identical],
    )


def finished_seeds(cell_folder: Path) -> set[int]:
    """Return the seeds of this cell that are trained: those of every sound, finished record in its folder.

    A record of another cell, copied here by hand, finishes nothing. The folder need not exist.
    """
    return set(diagnosed_seeds(cell_folder))


def diagnosed_seeds(cell_folder: Path) -> dict[int, list[frozenset[str]]]:
    """Return the seeds of this cell that are trained: of every copy the diagnostics asked for, measured or not."""
    cell_id = layout.cell_id_of(cell_folder)
    found: dict[int, list[frozenset[str]]] = {}
    for record in map(read_record, _record_folders(cell_folder)):
        if isinstance(record, Record) and record.status == "finished" and record.cell_id == cell_id:
            for entry in record.seeds:
                found.setdefault(entry["seed"], []).append(record.asked_diagnostics)
    return found


def unfinished_folders(cell_folder: Path) -> list[Path]:
    """Return the cell's record folders without run.json, or whose history disagrees with it, by name."""
    found = map(read_record, _record_folders(cell_folder))
    return [item.path for item in found if isinstance(item, Skipped) and item.unfinished]


def _existing_folder(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"{path} does not exist; expected a folder of runs, as runs_dir of bnbench.train names it")
    if not path.is_dir():
        raise UserError(f"{path} is not a folder; expected a folder of runs, as runs_dir of bnbench.train names it")
    return path


def _candidates(path: Path) -> Iterator[Path | Skipped]:
    """Yield the record folders of a RUNS_DIR, a cell or a record, and what among the cells is none."""
    if path.resolve().name.startswith(layout.RECORD_PREFIX):
        yield path
        return
    if own := _record_folders(path):
        yield from own
        return
    for cell in _folders(path):
        if cell.name in layout.NOT_CELLS or cell.name.startswith("."):
            continue
        try:
            folders = _record_folders(cell)
        except UserError as error:
            yield Skipped(cell, str(error))
            continue
        yield from folders
        if not folders:
            yield Skipped(cell, "holds no seeds-... folder: not a cell, or one killed before its first run")


def _distinct(paths: list[Path]) -> Iterator[Path | Skipped]:
    """Yield every folder once; a link, within a path, to one that is read anyway is named: a record may be lost."""
    candidates = [(path, candidate) for path in paths for candidate in _candidates(_existing_folder(path))]
    direct = {_inode(each) for path, each in candidates if isinstance(each, Path) and not _is_linked(each, path)}
    seen: set[tuple[int, int]] = set()
    for path, candidate in candidates:
        if isinstance(candidate, Skipped):
            yield candidate
        elif _is_linked(candidate, path) and (_inode(candidate) in direct or _inode(candidate) in seen):
            yield Skipped(candidate, f"a link to {candidate.resolve()}, which is read already")
        elif (real := _inode(candidate)) not in seen:
            seen.add(real)
            yield candidate


def _is_linked(folder: Path, path: Path) -> bool:
    return folder != path and (folder.is_symlink() or (folder.parent != path and folder.parent.is_symlink()))


def _inode(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _record_folders(cell_folder: Path) -> list[Path]:
    return [path for path in _folders(cell_folder) if path.name.startswith(layout.RECORD_PREFIX)]


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            return [path / name for name in sorted(entry.name for entry in entries if entry.is_dir())]
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise UserError(
            f"{path} cannot be read: a file lies where a folder is needed; move it or set runs_dir to another folder"
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
