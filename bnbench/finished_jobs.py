"""Jobs of a sweep that an earlier sweep has finished: found by its notes, without composing their configurations again.

Hydra composes the configuration of every job twice, for a fifth of a second, which is minutes for a thousand jobs that
have nothing to train. A note holds what a job's overrides were composed to. While nothing that decides that has
changed, the configuration is taken from there. All else is looked at anew: the norm, the data and their checksum, and
the records with all their rows.
"""

import hashlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins import basic_sweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from bnbench import config as config_module
from bnbench.config import Config, as_dict, config_as_noted
from bnbench.datasets import Task, load, schema
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.records import add_cells, canonical_json, digest
from bnbench.records.check import read_json
from bnbench.runs_commands.sweep_notes import SIZE_FILE
from bnbench.sweep_size import all_jobs
from bnbench.training.by_rows import fill_in_by_rows
from bnbench.training.cells import Cell, index_of, plan_cells
from bnbench.training.job import CellReport

# earlier sweeps whose notes are looked through; each holds those of all its jobs
MOST_SWEEPS = 20
# what is composed of something else than files and overrides: the time, the environment
RESOLVED_ELSEWHERE = re.compile(r"\$\{\s*[\w.]+\s*:")
OUR_CONFIGURATION = "config.yaml"  # resolves nothing that decides a result
LAUNCHER = ("hydra/launcher=", "hydra.launcher.")
SCHEMAS = (config_module, schema)
DISTRIBUTIONS = ("hydra-core", "omegaconf")


@dataclass(frozen=True)
class FinishedJob:
    """A job with nothing to train: its overrides, its cells, and what an earlier sweep noted of it."""

    overrides: Sequence[str]
    cells: list[CellReport]
    note: Mapping[str, Any]


def leave_out(jobs: Sequence[FinishedJob]) -> None:
    """Have Hydra's own sweeper run all but these, from here on.

    Replaced in place: Hydra takes another sweeper from packages named hydra_plugins only.
    """
    finished = frozenset(job_key(job.overrides) for job in jobs)

    def split(overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        left = [job for job in all_jobs(overrides) if job_key(job) not in finished]
        size = max_batch_size or max(1, len(left))
        return [left[start : start + size] for start in range(0, len(left), size)]

    # looked up now: Hydra makes the class anew as it searches for plug-ins
    sweeper: Any = basic_sweeper.BasicSweeper
    sweeper.split_arguments = staticmethod(split)


def job_key(overrides: Sequence[str]) -> str:
    """Return what a job is found again by among notes, which hold no value that may be a secret."""
    return digest(list(overrides))


def sources_digest(config: DictConfig, jobs: Sequence[Sequence[str]]) -> str | None:
    """Return a digest of all that decides what overrides are composed to; None where that cannot be told.

    It covers the schema and what reads it, every yaml file that Hydra searches, and what plug-ins registered; not what
    a file or an override takes from the environment or the clock: there is none for these.
    """
    if any(RESOLVED_ELSEWHERE.search(override) for job in jobs for override in job):
        return None
    found = hashlib.sha256()
    for name in DISTRIBUTIONS:
        found.update(f"{name} {metadata.version(name)}\n".encode())
    for module in SCHEMAS:
        found.update(inspect.getsource(module).encode())
    given = [str(override) for override in config.hydra.overrides.hydra]
    # where jobs run decides nothing of what they are
    found.update(canonical_json([each for each in given if not each.startswith(LAUNCHER)]).encode())
    for source in config.hydra.runtime.config_sources:
        if source.schema == "structured" or source.path == "hydra.conf":
            continue
        folder = _folder(source.schema, source.path)
        if folder is None:
            return None
        for path in sorted(folder.rglob("*.yaml")):
            text = path.read_bytes()
            if path.name != OUR_CONFIGURATION and RESOLVED_ELSEWHERE.search(text.decode(errors="replace")):
                return None
            found.update(f"{path} {len(text)}\n".encode() + text)
    for name, node in sorted(ConfigStore.instance().repo.get("norm", {}).items()):
        found.update(f"{name}\n{OmegaConf.to_yaml(node.node)}".encode())
    return found.hexdigest()


def _folder(schema: str, path: str) -> Path | None:
    if schema == "file":
        return Path(path)
    if schema != "pkg":
        return None
    folder = resources.files(path)
    return folder if isinstance(folder, Path) else None


def finished_jobs(sweeps: Path, jobs: Sequence[Sequence[str]], *, sources: str | None) -> list[FinishedJob]:
    """Return the jobs of which every cell is finished, as far as earlier sweeps of the same sources tell.

    Cells are added to the indexes of their experiments, as when they are trained. What cannot be read, or fails, is
    not among them: it goes the way of every job, and what is wrong is said there.
    """
    if sources is None:
        return []
    wanted = {job_key(job): job for job in jobs}
    tasks: dict[str, Task] = {}
    notes = _notes(sweeps, frozenset(wanted), sources=sources)
    found: list[FinishedJob] = []
    indexes: dict[tuple[str, str], dict[str, Any]] = {}
    for key, job in wanted.items():
        if (note := notes.get(key)) is None:
            continue
        try:
            cells = _finished_cells(note, tasks)
            reports = _reports(note, cells)
        except (UserError, KeyError, TypeError, ValueError):
            continue
        if not reports:
            continue
        found.append(FinishedJob(job, reports, note))
        place = (cells[0].config.runs_dir, note["asked"]["experiment"])
        indexes.setdefault(place, {}).update(index_of(cells))
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
            if isinstance(note, dict) and note.get("key") in keys and not note.get("refusal"):
                found.setdefault(note["key"], note)
        if len(found) == len(keys):
            break
    return found


def _finished_cells(note: Mapping[str, Any], tasks: dict[str, Task]) -> list[Cell]:
    """Return the cells of a noted job, none if one of them lacks a seed."""
    config = config_as_noted(note["asked"]["config"])
    task = _task(config, tasks)
    cells = plan_cells(fill_in_by_rows(config, task), task, choose_norm(config.norm))
    tuned = note["tuned"]
    if tuned and tuned["workload"] != cells[0].workload_without_rate:
        return []
    return [] if any(cell.missing_seeds() for cell in cells) else cells


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
