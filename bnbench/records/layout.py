"""Where a record lies: RUNS_DIR/<dataset>-<norm>-<cell_id>/seeds-<first>-<last>-<hash>/."""

import re
from collections.abc import Iterable
from pathlib import Path

from bnbench.errors import UserError
from bnbench.records.identity import ID_LENGTH, digest

RUN_FILE = "run.json"
HISTORY_FILE = "history.parquet"
DIAGNOSTICS_FILE = "diagnostics.parquet"
RECORD_PREFIX = "seeds-"
EXPERIMENTS_FOLDER = "experiments"
TARGETS_FOLDER = "targets"
COSTS_FOLDER = "costs"
LOCKS_FOLDER = ".locks"
NOT_CELLS = frozenset(
    {EXPERIMENTS_FOLDER, TARGETS_FOLDER, COSTS_FOLDER, "claims", "sweeps", "wandb", "tensorboard", "csv"}
)
"""Folders of RUNS_DIR that hold something else than cells, such as mirrors; hidden folders are no cells either."""

_CELL_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
# Two names and an id stay well below the 255 bytes that common file systems allow one folder name.
_MAX_NAME_LENGTH = 80
_MAX_SEED = 2**63 - 1  # a seed is a signed 64-bit column of the history


def safe_name(name: str) -> str:
    """Return the name as one harmless path part: only ``A-Za-z0-9_.-``, no leading dot, at most 80 characters.

    Different names may give one part; what must stay apart carries a hash as well.

    >>> safe_name("../my table")
    '_my_table'
    """
    return _UNSAFE.sub("_", name).lstrip(".")[:_MAX_NAME_LENGTH] or "_"


def distinct_safe_name(name: str) -> str:
    """Return ``safe_name(name)``, with a hash of the name appended where making it safe has changed it."""
    safe = safe_name(name)
    return safe if safe == name else f"{safe}-{digest(name, length=8)}"


def cell_folder(runs_dir: Path | str, *, dataset: str, norm: str, cell_id: str) -> Path:
    """Return RUNS_DIR/<dataset>-<norm>-<cell_id>, which lies directly in RUNS_DIR whatever the names are.

    Raises UserError if ``cell_id`` is not 12 lower-case hex digits.
    """
    if not _CELL_ID.fullmatch(cell_id):
        raise UserError(f"cell_id is {cell_id!r}; expected {ID_LENGTH} lower-case hex digits")
    return Path(runs_dir) / f"{safe_name(dataset)}-{safe_name(norm)}-{cell_id}"


def cell_id_of(cell_folder: Path) -> str:
    """Return the cell_id that ends the folder's name, or raise UserError if none does."""
    cell_id = cell_folder.name.rpartition("-")[2]
    if not _CELL_ID.fullmatch(cell_id):
        raise UserError(f"{cell_folder} is not a cell folder; expected a name <dataset>-<norm>-<cell_id>")
    return cell_id


def record_folder(cell_folder: Path, seeds: Iterable[int], *, diagnostics: Iterable[str] = ()) -> Path:
    """Return the cell's folder for exactly these seeds, ``seeds-<first>-<last>-<hash>``, in whatever order they come.

    The same seeds with other diagnostics have a folder of their own: a finished record is never written again.

    Raises UserError if there is no seed, a seed appears twice, or one is not an integer in 0 ... 2**63 - 1.
    """
    given = list(seeds)
    for seed in given:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MAX_SEED:
            raise UserError(f"seed {seed!r} is not an integer in 0 ... 2**63 - 1")
    ordered = sorted(set(given))
    if len(ordered) != len(given) or not ordered:
        raise UserError(f"seeds are {given}; expected at least one, each once")
    names = sorted(set(diagnostics))
    held = {"seeds": ordered, "diagnostics": names} if names else ordered
    return cell_folder / f"{RECORD_PREFIX}{ordered[0]}-{ordered[-1]}-{digest(held, length=8)}"
