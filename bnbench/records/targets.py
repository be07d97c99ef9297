"""Target ladders that were measured beside the runs: RUNS_DIR/targets/<id>.json, each computed once."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bnbench.records import atomic
from bnbench.records.check import read_json
from bnbench.records.layout import LOCKS_FOLDER, TARGETS_FOLDER
from bnbench.records.lock import file_lock
from bnbench.records.structure import Check, compile_schema

LADDER_VERSION = 1
A_WEEK_SECONDS = 7 * 24 * 3600.0  # whoever holds the lock trains

_check: Check = compile_schema(
    {
        "type": "object",
        "required": ["schema_version", "targets", "reason"],
        "properties": {
            "schema_version": {"const": LADDER_VERSION},
            "targets": {
                "type": ["object", "null"],
                "required": ["easy", "medium", "hard", "provenance"],
                "properties": {
                    "easy": {"type": "number"},
                    "medium": {"type": "number"},
                    "hard": {"type": "number"},
                    "provenance": {"type": "string"},
                },
            },
            "reason": {"type": ["string", "null"]},
        },
    }
)


@contextmanager
def targets_lock(runs_dir: Path | str, targets_id: str) -> Iterator[None]:
    """Hold the lock of one ladder, waiting for whoever measures it now."""
    with file_lock(Path(runs_dir) / LOCKS_FOLDER / f"targets-{targets_id}.lock", wait_seconds=A_WEEK_SECONDS):
        yield


def read_targets(runs_dir: Path | str, targets_id: str) -> dict[str, Any] | None:
    """Return what was written of a ladder; None where there is nothing, or nothing that can be read as one."""
    found = read_json(_path(runs_dir, targets_id))
    return found if isinstance(found, dict) and not _check(found, "") else None


def write_targets(runs_dir: Path | str, targets_id: str, ladder: Mapping[str, Any]) -> Path:
    """Write a ladder, {"targets": {easy, medium, hard, provenance} or None, "reason": why None, ...}, atomically."""
    path = _path(runs_dir, targets_id)
    atomic.make_folder(path.parent)
    content = {"schema_version": LADDER_VERSION, **ladder}
    atomic.write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode())
    return path


def _path(runs_dir: Path | str, targets_id: str) -> Path:
    return Path(runs_dir) / TARGETS_FOLDER / f"{targets_id}.json"
