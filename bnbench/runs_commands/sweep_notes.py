"""The notes of the newest sweep in RUNS_DIR/sweeps: what its jobs came to, wherever it runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnbench.records.check import read_json

SWEEPS_FOLDER = "sweeps"
SIZE_FILE = "size.json"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A job that trained nothing, why, and its command."""

    reason: str
    command: str


@dataclass(frozen=True, kw_only=True)
class SweepNotes:
    """The newest sweep: its name, which begins with its start in UTC, the jobs noted so far, and the refused ones.

    `num_jobs` and `num_cells` are how many it will have, None where that was not known when it began; `cell_ids` are
    the cells that its jobs asked for.
    """

    name: str
    jobs: int
    num_jobs: int | None
    num_cells: int | None
    last_note_at: float
    refusals: tuple[Refusal, ...]
    cell_ids: frozenset[str]


def newest_sweep(runs_dir: Path) -> SweepNotes | None:
    """Return what the newest sweep has noted, None where there is no note; a note that cannot be read is left out."""
    folder = runs_dir / SWEEPS_FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return None
    for sweep in sorted((path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()), reverse=True):
        paths = sorted(path for path in sweep.glob("[0-9]*.json") if path.is_file() and not path.is_symlink())
        size = sweep / SIZE_FILE
        begun = [size] if size.is_file() and not size.is_symlink() else []
        if paths or begun:
            notes = [note for note in map(read_json, paths) if isinstance(note, Mapping)]
            return SweepNotes(
                name=sweep.name,
                jobs=len(paths),
                num_jobs=_count(size, "jobs") if begun else None,
                num_cells=_count(size, "cells") if begun else None,
                last_note_at=max(path.stat().st_mtime for path in [*paths, *begun]),
                refusals=tuple(_refusals(notes)),
                cell_ids=frozenset(_cell_ids(notes)),
            )
    return None


def _count(path: Path, name: str) -> int | None:
    """Return a number of the size of a sweep; a stranger may have written it."""
    size = read_json(path)
    count = size.get(name) if isinstance(size, Mapping) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else None


def _refusals(notes: Sequence[Mapping[str, Any]]) -> list[Refusal]:
    return [
        Refusal(reason=note["refusal"], command=str(note.get("command", "")))
        for note in notes
        if isinstance(note.get("refusal"), str)
    ]


def _cell_ids(notes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for note in notes:
        cells = note.get("cells")
        for cell in cells if isinstance(cells, list) else []:
            if isinstance(cell, Mapping) and isinstance(cell.get("cell_id"), str):
                yield cell["cell_id"]
