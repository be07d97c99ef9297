"""Training for a claim: `python -m bnbench.train` in a process of its own, and the records it asked for."""

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import join

from bnbench.claims.result import FOLDER
from bnbench.claims.source import experiment_file, experiment_lines
from bnbench.errors import UserError
from bnbench.records import Record, digest, load_records
from bnbench.runs_commands.sweep_notes import newest_sweep
from bnbench.scoring.entry_curves import RESERVED_SEEDS

RECORDS_FOLDER = "records"
LINES_OF_AN_ERROR = 8


def train_records(
    experiment: str,
    *overrides: str,
    seeds: Sequence[int] | None = None,
    all_seeds: Sequence[int],
    runs_dir: Path,
    say: Callable[[str], None],
) -> list[Record]:
    """Train an experiment under overrides and return its records, with `seeds` (default all) and those that tune.

    They lie in RUNS_DIR/claims/records, in a folder for this experiment as its file stands and these overrides: claims
    that ask for the same share them, and what is there is not trained again. Raises UserError where a run fails.
    """
    if not experiment_file(experiment).is_file():
        raise UserError(f"there is no experiment {experiment!r}: expected {experiment_file(experiment)}")
    asked = all_seeds if seeds is None else seeds
    folder = runs_dir / FOLDER / RECORDS_FOLDER / records_folder(experiment, overrides)
    key = (str(folder.resolve()), tuple(asked))
    if key not in _FOUND:
        _FOUND[key] = _trained(experiment, overrides, seeds=asked, folder=folder, say=say)
    return list(_FOUND[key])


# of this process: several claims of one run ask for the same
_FOUND: dict[tuple[str, tuple[int, ...]], list[Record]] = {}


def _trained(
    experiment: str, overrides: Sequence[str], *, seeds: Sequence[int], folder: Path, say: Callable[[str], None]
) -> list[Record]:
    command = [
        *(sys.executable, "-m", "bnbench.train", "-m"),
        f"+experiment={experiment}",
        f"runs_dir={quoted(folder)}",
        f"seeds=[{','.join(map(str, seeds))}]",
        "logger=none",
        *overrides,
    ]
    _run(command, say)
    found, sweep = load_records(folder), newest_sweep(folder)
    # the folder may hold other cells too: of an earlier version of a claim's own model, say, or begun and interrupted
    asked = sweep.cell_ids if sweep is not None else frozenset()
    own = [record for record in found.records if record.cell_id in asked]
    there = {(record.cell_id, seed["seed"]) for record in own for seed in record.seeds}
    if not asked or not there >= {(cell_id, seed) for cell_id in asked for seed in seeds}:
        raise UserError(f"{folder} lacks runs that were asked for: python -m bnbench.runs status {folder} names them")
    wanted = set(seeds)
    return [kept for record in own if (kept := _of_seeds(record, wanted)).seeds]


def records_folder(experiment: str, overrides: Sequence[str]) -> str:
    """Return the folder's name: another experiment, in what is no comment, or other overrides have other records."""
    asked = {"experiment": experiment_lines(experiment), "overrides": list(overrides)}
    return f"{experiment}-{digest(asked, length=8)}"


def quoted(path: Path) -> str:
    r"""Return a path as Hydra's grammar takes any text.

    >>> quoted(Path("my runs, 2"))
    "'my runs, 2'"
    """
    text = str(path).replace("\\", "\\\\") if str(path).endswith("\\") else str(path)
    return "'" + text.replace("'", "\\'") + "'"


def _of_seeds(record: Record, wanted: set[int]) -> Record:
    return replace(
        record, seeds=[seed for seed in record.seeds if seed["seed"] in wanted or seed["seed"] >= RESERVED_SEEDS]
    )


def _run(command: Sequence[str], say: Callable[[str], None]) -> None:
    """Run a training command, hand on how far its sweep is; raises UserError with its last lines where it fails."""
    last: deque[str] = deque(maxlen=LINES_OF_AN_ERROR)
    troubles: list[str] = []  # the last lines may be those of the board, which says nothing of what went wrong
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as process:
        try:
            for line in process.stdout or ():
                text = line.strip()
                if text:
                    last.append(text)
                if any(word in text.lower() for word in ("fail", "refused", "error")):
                    troubles.append(text)
                if text.startswith("sweep:"):
                    say(text)
        except KeyboardInterrupt:
            process.wait()  # it was interrupted as well, and keeps what is finished
            raise
    if process.returncode:
        said = "\n  ".join([*troubles[:LINES_OF_AN_ERROR], *(text for text in last if text not in troubles)])
        raise UserError(f"training failed (exit code {process.returncode}): {join(command)}\n  {said}")
