"""The index of an experiment: which cells and seeds it asked for, wherever they were trained first."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnbench.errors import UserError, nearest
from bnbench.records import atomic
from bnbench.records.check import read_json
from bnbench.records.layout import EXPERIMENTS_FOLDER, LOCKS_FOLDER, distinct_safe_name
from bnbench.records.lock import file_lock
from bnbench.records.structure import Check, compile_schema

INDEX_VERSION = 1

_WAIT_SECONDS = 120.0  # twice a lease: a holder that died on another host is replaced within it

_check_index: Check = compile_schema(
    {
        "type": "object",
        "required": ["schema_version", "experiment", "cells"],
        "properties": {
            "schema_version": {"const": INDEX_VERSION},
            "experiment": {"type": "string"},
            "cells": {"type": "object"},
        },
    }
)
_check_cell: Check = compile_schema(
    {
        "type": "object",
        "required": ["entry", "dataset", "seeds"],
        "properties": {
            "entry": {"type": "string"},
            "dataset": {"type": "string"},
            "seeds": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}},
            "tracks": {"type": "array", "items": {"type": "string"}},
        },
    }
)


def add_cells(runs_dir: Path | str, experiment: str, cells: Mapping[str, Mapping[str, Any]]) -> Path:
    """Add ``{cell_id: {"entry", "dataset", "seeds", "tracks"}}`` to RUNS_DIR/experiments/<name>.json; return its path.

    Seeds and tracks of a cell that is already there are united with its own. Any number of processes may add at the
    same time: each reads, merges and replaces the file under one lock, unless it holds them all already.

    Raises UserError if the index cannot be written, is damaged, or stays locked for two minutes.
    """
    path = _index_path(runs_dir, experiment)
    if _holds(_read(path) or {}, cells):
        return path  # nothing is ever taken out, so that this needs no lock
    lock = Path(runs_dir) / LOCKS_FOLDER / f"experiment-{path.stem}.lock"
    atomic.make_folder(path.parent)
    with file_lock(lock, wait_seconds=_WAIT_SECONDS) as acquired:
        if not acquired:
            raise UserError(f"{lock} has been held by another process for {_WAIT_SECONDS:g} s; is that process stuck?")
        merged = _read(path) or {}
        for cell_id, cell in cells.items():
            merged[cell_id] = _united(merged.get(cell_id, {}), cell)
        index = {"schema_version": INDEX_VERSION, "experiment": experiment, "cells": dict(sorted(merged.items()))}
        atomic.write_atomically(path, json.dumps(index, indent=1, ensure_ascii=False, allow_nan=False).encode())
    return path


def read_experiment(runs_dir: Path | str, experiment: str) -> dict[str, dict[str, Any]]:
    """Return ``{cell_id: {"entry", "dataset", "seeds", "tracks"}}`` of an experiment; older indexes hold no tracks.

    Raises UserError if it has no index here, or a damaged one.
    """
    cells = _read(_index_path(runs_dir, experiment))
    if cells is None:
        hint = nearest(experiment, list_experiments(runs_dir))
        raise UserError(f"experiment {experiment!r} has no index in {Path(runs_dir) / EXPERIMENTS_FOLDER}: {hint}")
    return cells


def list_experiments(runs_dir: Path | str) -> list[str]:
    """Return the names of the experiments that have a sound index in RUNS_DIR, sorted."""
    found = [read_json(path) for path in (Path(runs_dir) / EXPERIMENTS_FOLDER).glob("*.json")]
    return sorted(index["experiment"] for index in found if isinstance(index, dict) and not _check_index(index, ""))


def _holds(known: Mapping[str, Mapping[str, Any]], cells: Mapping[str, Mapping[str, Any]]) -> bool:
    return bool(known) and all(known.get(each) == _united(known.get(each, {}), cell) for each, cell in cells.items())


def _united(known: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, Any]:
    united = {"entry": cell["entry"], "dataset": cell["dataset"]}
    for name in ("seeds", "tracks"):
        if name in known or name in cell:
            united[name] = sorted({*known.get(name, []), *cell.get(name, [])})
    return united


def _index_path(runs_dir: Path | str, experiment: str) -> Path:
    return Path(runs_dir) / EXPERIMENTS_FOLDER / f"{distinct_safe_name(experiment)}.json"


def _read(path: Path) -> dict[str, dict[str, Any]] | None:
    index = read_json(path)
    if index is None:
        return None
    problems = [index] if isinstance(index, str) else _index_problems(index)
    if isinstance(index, str) or problems:
        raise UserError(
            f"{path} is damaged ({problems[0]}): remove it and run the experiment's command again, which writes it "
            "anew and trains nothing twice"
        )
    cells: dict[str, dict[str, Any]] = index["cells"]
    return cells


def _index_problems(index: dict[str, Any]) -> list[str]:
    return _check_index(index, "") or [
        problem for cell_id, cell in index["cells"].items() for problem in _check_cell(cell, f"cells.{cell_id}")
    ]
