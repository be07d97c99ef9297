"""One job of a sweep: its cells claimed, their missing seeds trained together, one record written per cell."""

import shutil
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from bnbench.config import Config
from bnbench.datasets import Task, load
from bnbench.errors import UserError
from bnbench.models import check_model
from bnbench.norms import ChosenNorm, choose_norm
from bnbench.records import (
    add_cells,
    begin_record,
    cell_lock,
    diagnostics_file,
    holder,
    remove_unfinished,
    unfinished_folders,
    write_record,
)
from bnbench.records.atomic import remove_file
from bnbench.records.checkpoint import CHECKPOINT_FILE
from bnbench.records.layout import RUN_FILE
from bnbench.training import preemption
from bnbench.training.by_rows import fill_in_by_rows
from bnbench.training.cells import Cell, index_of, plan_cells, with_earlier_diagnostics
from bnbench.training.checkpoint import checkpoint_of, find_left
from bnbench.training.chunks import Part as Part
from bnbench.training.chunks import chunks, cut_down, replicas_in
from bnbench.training.diagnostics.readings import all_left_out, columns_of, left_out_by_ranks
from bnbench.training.evaluator import Observer
from bnbench.training.fit import Member, check_training, may_stack, network_of
from bnbench.training.history import Trajectory
from bnbench.training.memory import replicas_that_fit
from bnbench.training.out_of_memory import is_out_of_memory, release_memory
from bnbench.training.outcome import describe, environment, history_of, seed_results
from bnbench.training.rank_numbers import num_ranks
from bnbench.training.ranks import Fit, training_for


@dataclass
class CellReport:
    """What became of one cell in one job."""

    name: str
    cell_id: str
    folder: str
    tracks: list[str] = field(default_factory=list)
    trained: list[int] = field(default_factory=list)
    reused: list[int] = field(default_factory=list)
    diverged: list[int] = field(default_factory=list)
    elsewhere: str | None = None
    removed: list[str] = field(default_factory=list)
    train_seconds: float = 0.0
    halved_to: int | None = None
    diagnosed_again: list[int] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    resumed_at: int | None = None
    anew: list[str] = field(default_factory=list)
    preempted: str | None = None
    error: str | None = None
    traceback: str | None = None
    record_of_error: str | None = None


class JobObserver(Observer, Protocol):
    """An observer that is told of the records as well."""

    def close(self, records: Sequence[Any]) -> None:
        """Take the records the observed training led to; must not raise."""


ALL = 2**31
A_WEEK_SECONDS = 7 * 24 * 3600.0

Observe = Callable[[Sequence[Part], Task], Sequence[JobObserver]]


def run_job(
    config: Config,
    *,
    experiments: Sequence[str] = (),
    command: str = "",
    observe: Observe = lambda parts, task: (),
    task: Task | None = None,
    wait: bool = False,
) -> list[CellReport]:
    """Train what is missing of a configuration's cells, here or in processes of the job; return what became of each.

    A cell that another process trains is left to it, or with `wait` looked at again once that is done: the other may
    have been asked for fewer seeds. An exception in training becomes a `failed` record and an error
    in the report. Once this process is asked to leave, the batch that trains is left as a checkpoint, and the reports
    say so: whoever calls then leaves. Raises UserError when the configuration cannot be trained at all.
    """
    norm = choose_norm(config.norm)
    check_model(vars(config.model))
    task = load(config.dataset) if task is None else task
    config = fill_in_by_rows(config, task)
    check_training(config, task, norm)
    config = with_earlier_diagnostics(config, plan_cells(config, task, norm))
    cells = plan_cells(config, task, norm)
    # builds a network: what cannot be built is refused before anything is written
    limit = replicas_that_fit(config, task, network_of(config, task, norm))
    for experiment in experiments:
        add_cells(config.runs_dir, experiment, index_of(cells))
    several = isinstance(config.optimizer.lr, list | tuple)
    reports = {
        cell.cell_id: CellReport(_name(cell, several), cell.cell_id, str(cell.folder), list(cell.tracks))
        for cell in cells
    }
    patience = A_WEEK_SECONDS if wait else 0.0
    with ExitStack() as locks:
        locks.callback(torch.set_num_threads, torch.get_num_threads())
        mine = []
        for cell in cells:
            if not cell.missing_seeds() or locks.enter_context(cell_lock(cell.folder, wait_seconds=patience)):
                mine.append(cell)
            else:
                reports[cell.cell_id].elsewhere = holder(cell.folder)
        # asked again now that nobody else can finish them
        missing = {cell.cell_id: cell.missing_seeds() for cell in mine}
        for cell in mine:
            reports[cell.cell_id].diagnosed_again = sorted(cell.undiagnosed_seeds())
            reports[cell.cell_id].reused = [seed for seed in cell.seeds if seed not in missing[cell.cell_id]]
        setting = Setting(
            config,
            task,
            norm,
            tuple(experiments),
            environment(config, command),
            observe,
            limit,
            locks.enter_context(training_for(config)),
        )
        with preemption.deferred():
            _train([cell for cell in mine if missing[cell.cell_id]], missing, reports, setting)
    return list(reports.values())


@dataclass(frozen=True)
class Setting:
    """What all chunks of a job share."""

    config: Config
    task: Task
    norm: ChosenNorm
    experiments: tuple[str, ...]
    environment: dict[str, Any]
    observe: Observe
    limit: int
    fit: Fit


def _train(
    cells: Sequence[Cell], missing: dict[str, tuple[int, ...]], reports: dict[str, CellReport], setting: Setting
) -> None:
    if not cells:
        return
    try:
        stacked = may_stack(setting.config, setting.task, setting.norm)
    except UserError as error:
        if not isinstance(error.__cause__, Exception):
            raise
        # the network was built and fails as it runs: evidence worth a record, as if it had failed later
        _record_failure(next(chunks(cells, missing, limit=ALL)), reports, setting, error.__cause__)
        return
    left = find_left(cells, missing, {cell.cell_id: unfinished_folders(cell.folder) for cell in cells})
    for cell, folder, problem in left.misfits:
        _say_anew(reports[cell.cell_id], folder, problem)
    waiting = deque([*left.batches, *chunks(cells, left.others(missing), limit=setting.limit)])
    while waiting:
        parts = waiting.popleft()
        try:
            preemption.leave_if_asked()
            _train_chunk(parts, reports, setting, stacked=stacked)
            continue
        except preemption.Preempted:
            _say_preempted(cells, missing, reports)
            return
        except UserError:
            raise
        except Exception as error:  # whatever a stranger's norm or the device does must not end the sweep
            if replicas_in(parts) == 1 or not is_out_of_memory(error):
                _record_failure(parts, reports, setting, error)
                _say_not_trained(cells, missing, reports, because_of=reports[parts[0].cell.cell_id])
                return
        # beyond the handler: until there, the error holds the frames that hold the tensors
        release_memory()
        # of those at whose records memory ended, the ones before are written
        parts = [part for part in parts if not set(part.seeds) <= set(reports[part.cell.cell_id].trained)]
        _forget(parts)
        waiting = deque(cut_down((parts, *waiting), below=replicas_in(parts)))
        for part in parts:
            reports[part.cell.cell_id].halved_to = max(map(replicas_in, waiting))
    for cell in cells:
        removed = remove_unfinished(cell.folder, spare=left.not_asked)
        reports[cell.cell_id].removed = [path.name for path in removed]


def _say_anew(report: CellReport, folder: Path, problem: str) -> None:
    """Say that a checkpoint does not fit, and remove it: what it held is trained from the beginning."""
    report.anew.append(f"{folder / CHECKPOINT_FILE}: {problem}")
    remove_file(folder / CHECKPOINT_FILE)


def _say_preempted(cells: Sequence[Cell], missing: dict[str, tuple[int, ...]], reports: dict[str, CellReport]) -> None:
    """Say of every cell that still lacks seeds where it was left."""
    for cell in cells:
        report = reports[cell.cell_id]
        if set(missing[cell.cell_id]) - set(report.trained):
            report.preempted = report.preempted or "preempted before it began"


def _forget(parts: Sequence[Part]) -> None:
    """Remove the folders that were begun for these seeds together; they are trained in others."""
    for part in parts:
        folder = part.folder
        if not (folder / RUN_FILE).exists():
            shutil.rmtree(folder, ignore_errors=True)  # what stays is removed as unfinished later


def _train_chunk(parts: list[Part], reports: dict[str, CellReport], setting: Setting, *, stacked: bool) -> None:
    for part in parts:
        begin_record(part.folder)
    members = [Member(seed, part.cell.learning_rate) for part in parts for seed in part.seeds]
    checkpoint = checkpoint_of(parts, setting.config, setting.task, stacked=stacked)
    problem = checkpoint.problem()
    if problem is not None:
        _say_anew(reports[parts[0].cell.cell_id], checkpoint.folder, problem)
    if (step := checkpoint.step) is not None:
        for part in parts:
            reports[part.cell.cell_id].resumed_at = step
    mirrors = setting.observe(parts, setting.task)
    records = []
    try:
        trajectory = setting.fit(
            setting.config,
            setting.task,
            setting.norm,
            members,
            stacked=stacked,
            observers=mirrors,
            checkpoint=checkpoint,
        )
        for part in parts:
            records.append(_record(part, trajectory, setting))
            report = reports[part.cell.cell_id]
            report.trained += part.seeds
            report.train_seconds += trajectory.train_seconds
            report.left_out |= records[-1].diagnostics["left_out"] if records[-1].diagnostics else {}
            gone = trajectory.diverged_at_step[list(part.members)] > 0
            report.diverged += [seed for seed, diverged in zip(part.seeds, gone, strict=True) if diverged]
        checkpoint.remove()
    except preemption.Preempted:
        for part in parts:
            reports[part.cell.cell_id].preempted = f"preempted at step {checkpoint.step} of {checkpoint.max_steps}"
        raise
    finally:
        for mirror in mirrors:
            mirror.close(records)


def _record(part: Part, trajectory: Trajectory, setting: Setting) -> Any:
    members = np.array(part.members, dtype=np.int64)
    history = history_of(part.cell, setting.task, trajectory, members, part.seeds)
    record = describe(part.cell, setting.task, experiments=setting.experiments, environment=setting.environment) | {
        "status": "finished",
        "seeds": seed_results(setting.task, trajectory, members, part.seeds),
        "rows": len(history.seed),
        "timing": {
            "train_seconds": trajectory.train_seconds,
            "replicas": trajectory.count,
            "steps": trajectory.steps,
        },
        "error": None,
    }
    diagnosed = trajectory.diagnosed or left_out_by_ranks(part.cell.diagnostics, num_ranks(setting.config.trainer))
    diagnostics = None
    if part.cell.diagnostics:
        record |= {"diagnostics": diagnosed.described()}
        seed_of = dict(zip(part.members, part.seeds, strict=True))
        diagnostics = diagnostics_file.to_table(columns_of(diagnosed.readings, seed_of))
    return write_record(part.folder, record, history.to_table(setting.task.metric_name), diagnostics)


def _record_failure(parts: list[Part], reports: dict[str, CellReport], setting: Setting, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}"
    for part in parts:
        report = reports[part.cell.cell_id]
        if set(part.seeds) <= set(report.trained):
            continue
        report.error = text
        report.traceback = "".join(traceback.format_exception(error))
        record = describe(part.cell, setting.task, experiments=setting.experiments, environment=setting.environment) | {
            "status": "failed",
            "seeds": [{"seed": seed, "status": "failed"} for seed in part.seeds],
            "rows": 0,
            "timing": {"train_seconds": 0.0, "replicas": sum(len(other.seeds) for other in parts), "steps": 0},
            "error": {
                "type": type(error).__name__,
                "message": str(error),
                "traceback": report.traceback,
            },
        }
        if part.cell.diagnostics:
            record |= {"diagnostics": all_left_out(part.cell.diagnostics, "training failed").described()}
        written = write_record(part.folder, record, None)
        report.record_of_error = str(written.path / "run.json")


def _say_not_trained(
    cells: Sequence[Cell],
    missing: dict[str, tuple[int, ...]],
    reports: dict[str, CellReport],
    *,
    because_of: CellReport,
) -> None:
    """Say of every cell that still lacks seeds that they were not tried, after the failure of another's."""
    for cell in cells:
        report = reports[cell.cell_id]
        if report.error is None and set(missing[cell.cell_id]) - set(report.trained):
            report.error = f"not tried, since {because_of.name} failed: {because_of.error}"
            report.traceback, report.record_of_error = because_of.traceback, because_of.record_of_error


def _name(cell: Cell, several_rates: bool) -> str:
    rate = f" · lr={cell.learning_rate:g}" if several_rates else ""
    return f"{cell.config.dataset.name} · {cell.entry}{rate}"
