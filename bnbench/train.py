"""`python -m bnbench.train`: configuration → data → norm and network × seeds → training → records → leaderboard."""

import os
import re
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # Ctrl-C while what follows is imported, which takes seconds: nothing to show a traceback of
    SHOW, EARLY = sys.excepthook, "Interrupted before anything began.\n"
    sys.excepthook = lambda kind, *what: sys.stderr.write(EARLY) if kind is KeyboardInterrupt else SHOW(kind, *what)

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from bnbench.config import Config, as_dict, budget_of, read_config, typed_config
from bnbench.config_errors import explain
from bnbench.configuration_packages import CONF as CONF
from bnbench.configuration_sources import sources_digest
from bnbench.datasets import Task, load
from bnbench.dry_run import PlannedJob, is_dry_run, plan_job, report_lines, take_dry_run
from bnbench.finished_jobs import job_key
from bnbench.models import check_model
from bnbench.norms import ChosenNorm, choose_norm
from bnbench.range_extension import TunedJob, extend_ranges, tuned_jobs
from bnbench.reports import print_lines
from bnbench.search_path import add_plugins
from bnbench.secret_values import masked
from bnbench.sweep import (
    TRACEBACKS,
    SweepEnd,
    begin_sweep,
    command_of,
    conclude_sweep,
    end_sweep,
    note_job,
    show_once,
    summarise_record,
    sweep_notes,
    sweep_progress,
)
from bnbench.training import preemption
from bnbench.training.announce import data_lines, target_lines
from bnbench.training.automatic_targets import with_targets
from bnbench.training.by_rows import fill_in_by_rows
from bnbench.training.cells import plan_cells
from bnbench.training.fit import check_training, network_of
from bnbench.training.job import CellReport, JobObserver, Part, run_job
from bnbench.training.mirror import Mirror, check_logger
from bnbench.training.nodes import Leader, follow
from bnbench.training.progress import Progress
from bnbench.training.rank_numbers import launched
from bnbench.workers import begin_job, is_worker


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def job(composed: DictConfig) -> None:
    """Run one job of a sweep, or the only one; in a worker, or here."""
    calm_warnings()
    begin_job(composed)
    overrides = list(HydraConfig.get().overrides.task)
    number = 0 if OmegaConf.is_missing(HydraConfig.get().job, "num") else HydraConfig.get().job.num
    experiment = HydraConfig.get().runtime.choices.get("experiment")
    command = command_of(overrides)
    if is_dry_run():
        PLANNED.append(planned(composed, command))
        return
    key = job_key(overrides, sources=sources_digest(HydraConfig.get(), [overrides]))
    note = partial(note_job, composed.runs_dir, number, command, key=key)
    try:
        with preemption.heeded():
            attempt(composed, note, command, experiment or "")
    except preemption.Preempted:
        if not is_worker():  # what a worker raises would have its launcher kill the others
            raise


PLANNED: list[PlannedJob] = []


def planned(composed: DictConfig, command: str) -> PlannedJob:
    """Return what a job would train; what would be refused is refused."""
    try:
        config = read_config(composed)
        check_logger(config.logger)
        return plan_job(*checked_job(config), command=command)
    except Exception as error:  # of this job alone, as when it trains
        return PlannedJob(command=command, refusal=masked(said_of(error)))


def attempt(composed: DictConfig, note: Callable[..., None], command: str, experiment: str) -> None:
    """Train what a job asks for and note what became of it; what cannot be read is refused."""
    try:
        config = read_config(composed)
        check_logger(config.logger)
    except Exception as error:  # of this job alone: the sweep goes on
        note(refusal=said_of(error))
        return
    train_job(config, note, command, experiment)


def train_job(
    config: Config,
    note: Callable[..., None],
    command: str,
    experiment: str,
    *,
    rates: Sequence[float] = (),
    wait: bool = False,
) -> list[CellReport] | None:
    """Train the configuration, or with `rates` its extension to these, and note what became of it; None if refused.

    Cells that another process holds are left for later, or with `wait` waited for. Raises Preempted, once that is
    noted, where this process was asked to leave.
    """
    try:
        prepared, task = prepare_job(config, command=command, rates=rates)
        cells = run_job(
            prepared,
            task=task,
            experiments=[experiment] if experiment else [],
            command=command,
            observe=partial(observers, prepared, experiment),
            wait=wait,
        )
        tuned = None if rates or config.track != "tuned" else extensible(config, prepared, task, experiment)
    except Exception as error:  # of this job alone: the sweep goes on
        note(refusal=said_of(error))
        return None
    note(cells=cells, tuned=tuned, asked={"config": as_dict(config), "experiment": experiment})
    if os.environ.get(TRACEBACKS):
        sys.stderr.writelines(cell.traceback for cell in cells if cell.traceback)
    preemption.leave_if_asked()
    return cells


def train_left() -> None:
    """Train what another process held when a job came to it: it may have been asked for fewer seeds than we."""
    for told in sweep_notes():
        if any(cell["elsewhere"] for cell in told["cells"]):
            config = typed_config(told["asked"]["config"])
            note = partial(note_job, config.runs_dir, told["job"], told["command"], key=told["key"])
            train_job(config, note, told["command"], told["asked"]["experiment"], wait=True)


def extensible(asked: Config, prepared: Config, task: Task, experiment: str) -> dict[str, Any]:
    """Return what the sweep notes of a job whose learning rates may be extended at its end, by whatever process."""
    return {
        "workload": plan_cells(prepared, task, choose_norm(prepared.norm))[0].workload_without_rate,
        "config": as_dict(asked),
        "experiment": experiment,
    }


def extend(job: TunedJob, rates: Sequence[float]) -> list[Path] | None:
    """Train a job of this sweep at learning rates beyond its own; return the folders, None where something failed."""
    number = 1 + max(note["job"] for note in sweep_notes())
    note = partial(note_job, job.config.runs_dir, number, job.command)
    cells = train_job(job.config, note, job.command, job.experiment, rates=rates, wait=True)
    return None if cells is None or any(cell.error for cell in cells) else [Path(cell.folder) for cell in cells]


def checked_job(asked: Config) -> tuple[Config, Task, ChosenNorm]:
    """Return the configuration with what goes by the rows filled in, its task and norm; raise what can be refused."""
    norm = choose_norm(asked.norm)
    check_model(vars(asked.model))
    task = load(asked.dataset)
    config = fill_in_by_rows(asked, task)
    check_training(config, task, norm)
    network_of(config, task, norm)
    return config, task, norm


def prepare_job(asked: Config, *, command: str, rates: Sequence[float] = ()) -> tuple[Config, Task]:
    """Return the configuration with what goes by the rows filled in, and its task with targets; say what they are.

    With `rates` it is to be trained at these, but its targets are those of the rates that were asked for. Nothing is
    said, and no target measured, before all that can be refused is, or where nothing is left to train.
    """
    config, task, norm = checked_job(asked)
    wanted = replace(config, optimizer=replace(config.optimizer, lr=list(rates))) if rates else config
    if any(cell.missing_seeds() for cell in plan_cells(wanted, task, norm)):
        show_once(config.runs_dir, data_lines(asked, config, task))
        task, why_no_target = with_targets(config, task, command=command, observe=partial(show_progress, "target runs"))
        show_once(config.runs_dir, target_lines(task, why_no_target))
    return wanted, task


def observers(config: Config, experiment: str, parts: Sequence[Part], task: Task) -> list[JobObserver]:
    """Return what follows a batch of replicas: the progress line, and one mirror per cell."""
    progress = show_progress(", ".join(dict.fromkeys(part.cell.entry for part in parts)), parts, task)
    if config.logger.name == "none":
        return progress
    mirrors = [
        Mirror(part.cell, task, part.members, part.seeds, experiment=experiment, summarise=summarise_record)
        for part in parts
    ]
    return [*progress, *mirrors]


def show_progress(name: str, parts: Sequence[Part], task: Task) -> list[JobObserver]:
    """Return the progress line of a batch of replicas."""
    config = parts[0].cell.config
    sweep = sweep_progress(config.runs_dir).short
    max_steps = budget_of(config).max_steps
    return [
        Progress(
            f"{task.name} · {name}",
            metric=task.metric_name,
            max_steps=max_steps,
            sweep=sweep,
            overwrite=not is_worker(),
        )
    ]


def said_of(error: Exception) -> str:
    """Return one message for an error; its traceback goes to stderr where HYDRA_FULL_ERROR=1 asks for it."""
    if os.environ.get(TRACEBACKS):
        traceback.print_exception(error)
    return explain(error) or f"{type(error).__name__}: {error} (HYDRA_FULL_ERROR=1 shows where)"


def multirun_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `-m` in front, where Hydra takes it whatever stands around it.

    >>> multirun_first(["+experiment=quickstart", "-m", "norm=batch,layer"])
    ['-m', '+experiment=quickstart', 'norm=batch,layer']
    """
    flags = [argument for argument in arguments if argument in ("-m", "--multirun")]
    return [*flags[:1], *(argument for argument in arguments if argument not in ("-m", "--multirun"))]


def calm_warnings() -> None:
    """Show warnings as one line each, and none of what libraries deprecate among themselves: no user can mend that."""
    warnings.filterwarnings("ignore", module="lightning")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"


def in_one_line(error: Exception) -> str:
    """Return the first two of the many coloured lines in which an engine says what it lost, and how that ended."""
    plain_text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in plain_text.splitlines() if re.search(r"\w", line) and "Traceback" not in line]
    return f"{type(error).__name__}: {' '.join(lines[:2])} (HYDRA_FULL_ERROR=1 shows where)"


def main() -> None:
    """Run Hydra over the command line, then print the leaderboard of its cells; exits 1 if anything failed."""
    calm_warnings()
    if launched().rank > 0:
        sys.exit(follow_in_words())
    typed = sys.argv[1:] = multirun_first(sys.argv[1:])
    again = shlex.join(["python", "-m", "bnbench.train", *typed])
    begin_sweep()
    try:
        sys.argv[1:] = take_dry_run(typed)
        with preemption.heeded():
            add_plugins()
            if broke_down := run_jobs():
                conclude_sweep()
            code = int(broke_down) or (conclude_dry_run() if is_dry_run() else conclude())
    except preemption.Preempted as asked:
        sys.stderr.write(f"\n{asked}: left as asked. What was trained is kept; the same command goes on:\n  {again}\n")
        code = preemption.EXIT_CODE
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted. Finished cells are kept; the same command goes on from here:\n  {again}\n")
        code = 1
    except Exception as error:  # the configuration could not be composed, or the board not be made
        sys.stderr.write(f"{said_of(error)}\n")
        code = 1
    finally:
        end_sweep()
        Leader.end()
    sys.exit(code)


def run_jobs() -> bool:
    """Have Hydra run the jobs; return whether its launcher broke down in mid-sweep, which is said."""
    broken = ""
    try:
        with preemption.waiting_for_workers(lambda: SweepEnd.workers is not None):
            job()
    except Exception as error:
        if is_dry_run() or not (sweep_notes() or SweepEnd.workers):
            raise  # it never began
        if os.environ.get(TRACEBACKS):
            traceback.print_exception(error)
        broken = explain(error) or in_one_line(error)
    if SweepEnd.workers:
        SweepEnd.workers.stop(expected=0 if broken else len(SweepEnd.jobs))
        preemption.leave_if_asked()
        if any(cell["preempted"] for note in sweep_notes() for cell in note["cells"]):
            raise preemption.Preempted("a worker was asked to leave")
    if broken:
        sys.stderr.write(f"the launcher broke down: {broken}\n")
    return bool(broken)


def conclude() -> int:
    """Train what was left to others and what the tuned track adds, print the leaderboard; return the exit code."""
    train_left()
    extend_ranges(tuned_jobs(sweep_notes()), train=extend)
    return conclude_sweep()


def conclude_dry_run() -> int:
    """Print the matrix of the sweep; return the exit code, 1 where a job would be refused."""
    print_lines(report_lines(PLANNED))
    return int(any(job.refusal is not None for job in PLANNED))


def follow_in_words() -> int:
    """Train what the first of the launched processes asks for; return the exit code, after one line if that fails."""
    try:
        return follow()
    except Exception as error:
        sys.stderr.write(f"process {launched().rank} of {launched().size}: {said_of(error)}\n")
        return 1


if __name__ == "__main__":
    main()
