"""Jobs of a sweep that an earlier sweep has finished: found by its notes, without composing their configurations again.

Hydra composes the configuration of every job twice, for a fifth of a second, which is minutes for a thousand jobs that
have nothing to train. A note holds what a job's overrides were composed to. While nothing that decides that has
changed, the configuration is taken from there. All else is looked at anew: the norm, the data and their checksum, and
the records with all their rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins import basic_sweeper
from hydra.core.override_parser.types import Override

from bnbench.config import Config, as_dict, check_config, config_as_noted
from bnbench.datasets import Task, load
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.records import add_cells, canonical_json, digest
from bnbench.records.check import read_json
from bnbench.runs_commands.sweep_notes import SIZE_FILE, SWEEPS_FOLDER
from bnbench.sweep_size import all_jobs
from bnbench.training.by_rows import fill_in_by_rows
from bnbench.training.cells import Cell, index_of, plan_cells
from bnbench.training.job import CellReport

# earlier sweeps whose notes are looked through; each holds those of all its jobs
MOST_SWEEPS = 20


@dataclass(frozen=True)
class FinishedJob:
    """A job with nothing to train: its overrides, its cells, and what else is noted of it, as `note_job` takes it."""

    overrides: Sequence[str]
    cells: list[CellReport]
    told: Mapping[str, Any]


def leave_out(jobs: Sequence[FinishedJob]) -> None:
    """Have Hydra's own sweeper run all but these, from here on.

    Replaced in place: Hydra takes another sweeper from packages named hydra_plugins only.
    """
    finished = frozenset(tuple(job.overrides) for job in jobs)

    def split(overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        left = [job for job in all_jobs(overrides) if tuple(job) not in finished]
        size = max_batch_size or max(1, len(left))
        return [left[start : start + size] for start in range(0, len(left), size)]

    # looked up now: Hydra makes the class anew as it searches for plug-ins
    sweeper: Any = basic_sweeper.BasicSweeper
    sweeper.split_arguments = staticmethod(split)


def job_key(overrides: Sequence[str], *, sources: str | None) -> str | None:
    """Return what a job is found again by among notes, which hold no value that may be a secret; None without sources.

    `sources` are those of the moment at which the job was composed: a file may be edited under a sweep that runs.
    """
    return None if sources is None else digest([sources, *overrides])


def finished_jobs(sweeps: Path, jobs: Sequence[Sequence[str]], *, sources: str | None) -> list[FinishedJob]:
    """Return the jobs of which every cell is finished, as far as earlier sweeps of the same sources tell.

    Cells are added to the indexes of their experiments, as when they are trained. What cannot be read, or fails, is
    not among them: it goes the way of every job, and what is wrong is said there.
    """
    if sources is None:
        return []
    wanted = {str(job_key(job, sources=sources)): job for job in jobs}
    tasks: dict[str, Task] = {}
    notes = _notes(sweeps, frozenset(wanted), sources=sources)
    found: list[FinishedJob] = []
    indexes: dict[tuple[str, str], dict[str, Any]] = {}
    for key, job in wanted.items():
        if key not in notes:
            continue
        try:
            asked = _Asked.noted(notes[key])
            cells = asked.finished_cells(tasks) if asked.is_of(job, sweeps) else []
            reports = _reports(notes[key], cells)
        except Exception:  # a stranger may have written the note, and the norm
            continue
        if cells:
            found.append(FinishedJob(job, reports, {"key": key, **asked.told(cells[0])}))
            indexes.setdefault((asked.config.runs_dir, asked.experiment), {}).update(index_of(cells))
    try:
        for (runs_dir, experiment), index in indexes.items():
            if experiment:
                add_cells(runs_dir, experiment, index)
    except UserError:
        return []
    return found


def _notes(sweeps: Path, keys: frozenset[str], *, sources: str) -> dict[str, Mapping[str, Any]]:
    """Return the newest note of every key."""
    found: dict[str, Mapping[str, Any]] = {}
    for folder in sorted((path for path in sweeps.glob("*") if path.is_dir()), reverse=True)[:MOST_SWEEPS]:
        size = read_json(folder / SIZE_FILE)
        if not isinstance(size, dict) or size.get("sources") != sources:
            continue
        for path in folder.glob("[0-9]*.json"):
            note = read_json(path)
            if isinstance(note, dict) and str(note.get("key")) in keys and not note.get("refusal"):
                found.setdefault(str(note["key"]), note)
        if len(found) == len(keys):
            break
    return found


@dataclass(frozen=True)
class _Asked:
    """What the overrides of a job were composed to, as a note tells it."""

    config: Config
    experiment: str

    @classmethod
    def noted(cls, note: Mapping[str, Any]) -> "_Asked":
        asked = note["asked"]
        config = config_as_noted(asked["config"])
        check_config(config)
        return cls(config, str(asked["experiment"]))

    def is_of(self, job: Sequence[str], sweeps: Path) -> bool:
        """Return whether it keeps to the folder of the sweep and imports nothing that the job does not name itself."""
        class_paths = [path for path in (self.config.norm.get("class_path"), self.config.model.class_path) if path]
        named = all(any(str(path) in override for override in job) for path in class_paths)
        return named and Path(self.config.runs_dir) / SWEEPS_FOLDER == sweeps

    def finished_cells(self, tasks: dict[str, Task]) -> list[Cell]:
        """Return the cells, none if one of them lacks a seed."""
        task = _task(self.config, tasks)
        cells = plan_cells(fill_in_by_rows(self.config, task), task, choose_norm(self.config.norm))
        return [] if any(cell.missing_seeds() for cell in cells) else cells

    def told(self, cell: Cell) -> dict[str, Any]:
        """Return what the next sweeps are told, and the end of this one on the tuned track."""
        asked = {"config": as_dict(self.config), "experiment": self.experiment}
        tuned = {"workload": cell.workload_without_rate, **asked} if self.config.track == "tuned" else None
        return {"asked": asked, "tuned": tuned}


def _task(config: Config, tasks: dict[str, Task]) -> Task:
    """Return the data, read once for all jobs that ask for the same."""
    key = canonical_json(as_dict(config)["dataset"])
    if key not in tasks:
        tasks[key] = load(config.dataset)
    return tasks[key]


def _reports(note: Mapping[str, Any], cells: Sequence[Cell]) -> list[CellReport]:
    names = {cell["cell_id"]: cell["name"] for cell in note["cells"]}
    return [
        CellReport(names[cell.cell_id], cell.cell_id, str(cell.folder), list(cell.tracks), reused=list(cell.seeds))
        for cell in cells
    ]
