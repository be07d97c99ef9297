"""What became of the jobs of one sweep, wherever they ran, and the leaderboard at its end."""

import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from bnbench.configuration_sources import sources_digest
from bnbench.dry_run import is_dry_run
from bnbench.errors import UserError
from bnbench.finished_jobs import FinishedJob, finished_jobs, leave_out
from bnbench.follower import Workers
from bnbench.launchers import prepare_launcher
from bnbench.records import Costs, Record, Runs, Tracks, digest, in_tracks, load_costs, load_records, united
from bnbench.reports import print_job, print_lines, print_sweep, print_take_away
from bnbench.runs_commands.sweep_notes import SWEEPS_FOLDER
from bnbench.scoring import Answer, Board, answers, score
from bnbench.secret_values import masked, masked_override, masked_tree
from bnbench.sweep_progress import SweepProgress, begin_notes
from bnbench.sweep_size import jobs_of_sweep, size_of_sweep
from bnbench.training.costs import measure_or_say
from bnbench.training.job import CellReport
from bnbench.winner import take_away
from bnbench.workers import SCRATCH, SWEEP, is_worker

TRACEBACKS = "BNBENCH_TRACEBACKS"
HYDRA_FULL_ERROR = "HYDRA_FULL_ERROR"


BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


class SweepEnd(Callback):
    """Notes where the runs of the sweep lie, and what its jobs are where workers run them: only Hydra knows."""

    runs_dir: Path | None = None
    workers: Workers | None = None
    weights_path: str | None = None
    measure_cost = False
    # the overrides of every job, where they were known when the sweep began
    jobs: Sequence[Sequence[str]] = ()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note how large the sweep is and follow its workers, if it has any; a dry run has none."""
        if is_dry_run():
            with read_write(config.hydra), open_dict(config.hydra):
                config.hydra.launcher = {"_target_": BASIC_LAUNCHER}
            return
        self._take(config)  # also for the end of a sweep whose launcher breaks down
        if (size := size_of_sweep(config)) is not None:
            jobs = jobs_of_sweep(config)
            sources = sources_digest(config.hydra, jobs)
            finished = finished_jobs(Path(config.runs_dir) / SWEEPS_FOLDER, jobs, sources=sources)
            begin_notes(notes_folder(config.runs_dir), size, sources=sources)
            SweepEnd.jobs = note_finished(config.runs_dir, jobs, finished)
            leave_out(finished)
        if engine := prepare_launcher(config):
            runs_dir = Path(config.runs_dir)
            SweepEnd.workers = Workers(engine, runs_dir=runs_dir, folder=notes_folder(runs_dir), show=_show)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Take the folder of a multirun."""
        self._take(config)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Take the folder of a single run."""
        self._take(config)

    def _take(self, config: DictConfig) -> None:
        SweepEnd.runs_dir, SweepEnd.weights_path = Path(config.runs_dir), config.save_weights
        SweepEnd.measure_cost = config.measure_cost


def begin_sweep() -> None:
    """Name the sweep, for this process and the workers it may start, and give Hydra a folder for its own files."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    os.environ[SWEEP] = f"{stamp}-{secrets.token_hex(3)}"
    os.environ[SCRATCH] = tempfile.mkdtemp(prefix="bnbench-")
    # Hydra's own variable, which from here on makes it raise every error rather than print it and exit: train.py says
    # what was wrong, with the traceback only if the user has set the variable
    os.environ[TRACEBACKS] = "1" if os.environ.get(HYDRA_FULL_ERROR) == "1" else ""
    os.environ[HYDRA_FULL_ERROR] = "1"


def end_sweep() -> None:
    """Let workers go, where there still are any, and remove the folder Hydra had for its own files."""
    if SweepEnd.workers is not None:
        SweepEnd.workers.stop()
    shutil.rmtree(os.environ[SCRATCH], ignore_errors=True)


def notes_folder(runs_dir: Path | str) -> Path:
    """Return where the jobs of this sweep leave their notes."""
    return Path(runs_dir) / SWEEPS_FOLDER / os.environ.get(SWEEP, "unnamed")


@cache
def sweep_progress(runs_dir: str) -> SweepProgress:
    """Return how far this sweep is, as this process knows it."""
    return SweepProgress(notes_folder(runs_dir))


def note_finished(runs_dir: str, jobs: Sequence[Sequence[str]], finished: Sequence[FinishedJob]) -> list[Sequence[str]]:
    """Note the jobs that have nothing to train; return all of them by their numbers: these come after the others."""
    known = {tuple(job.overrides) for job in finished}
    left = [job for job in jobs if tuple(job) not in known]
    for number, job in enumerate(finished, start=len(left)):
        note_job(runs_dir, number, command_of(job.overrides), cells=job.cells, **job.told)
    return [*left, *(job.overrides for job in finished)]


def _show(path: Path) -> None:
    """Print what a worker noted: of a job, or once for the sweep."""
    content = json.loads(path.read_text())
    if isinstance(content, list):
        print_lines(content)
    elif content["job"] not in PRINTED:
        _print_note(content, str(SweepEnd.runs_dir))


def _print_note(note: Mapping[str, Any], runs_dir: str) -> None:
    """Print what became of a job and how far the sweep is; what all its jobs are refused for is said once."""
    PRINTED.add(note["job"])
    told = note["refusal"] is None or note["refusal"] not in REFUSALS
    if told:
        print_job(note)
    REFUSALS.add(note["refusal"])
    progress = sweep_progress(runs_dir)
    progress.take(note)
    if SweepEnd.workers is not None or not sys.stderr.isatty():  # else the live line has it
        # a refusal says all there is: nothing was tried, and it is the same for every job
        failed = any(cell["error"] for cell in note["cells"])
        if line := progress.due(at_once=failed):
            print_lines([line])


def note_job(
    runs_dir: str,
    number: int,
    command: str,
    *,
    cells: Sequence[CellReport] = (),
    refusal: str | None = None,
    tuned: Mapping[str, Any] | None = None,
    asked: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> None:
    """Keep what became of a job in RUNS_DIR/sweeps for the end of the sweep and the next; print it, or let the parent.

    `tuned` is what extending the learning rates of a job of the tuned track takes: {"workload", "config",
    "experiment"}; `asked` what its overrides, which `key` stands for, were composed to: {"config", "experiment"}.
    """
    refusal = None if refusal is None else masked(refusal)
    said = [masked_tree({"error": cell.error, "traceback": cell.traceback}) for cell in cells]
    note = {
        "job": number,
        "command": command,
        "cells": [asdict(cell) | told for cell, told in zip(cells, said, strict=True)],
        "refusal": refusal,
        "tuned": tuned,
        "asked": asked,
        "key": key,
    }
    if not is_worker():
        _print_note(note, runs_dir)
    folder = notes_folder(runs_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{number}.partial"
        partial.write_text(json.dumps(note))
        partial.replace(folder / f"{number}.json")
    except OSError as error:
        # the records are what counts; a process that ends the sweep itself knows of this job all the same
        if is_worker():
            print_job(note)
        if refusal is None and not UNWRITTEN:  # once is enough
            sys.stderr.write(f"the sweep's notes cannot be written: {error}\n")
        UNWRITTEN.append(note)


LOST = "the job left no word of how it ended: its process was killed, or never started"
UNWRITTEN: list[dict[str, Any]] = []
# what was said already: every job of a sweep refuses the same file for the same reason
REFUSALS: set[str | None] = set()
PRINTED: set[int] = set()


def show_once(runs_dir: str, lines: Sequence[str]) -> None:
    """Print lines once per sweep, whichever of its jobs, in whatever process, comes to them first."""
    if not lines:
        return
    folder = notes_folder(runs_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"shown-{digest(list(lines))}").open("x") as file:
            json.dump(list(lines), file)
    except FileExistsError:
        return
    except OSError:
        return  # a folder that cannot be written is refused where its records are, in one message
    if not is_worker():
        print_lines(lines)


def conclude_sweep() -> int:
    """Print the leaderboard of the sweep's cells and its failures; return the exit code."""
    noted = sweep_notes()
    lost = lost_jobs(noted)
    notes = [*noted, *lost]
    folders = {Path(cell["folder"]) for note in notes for cell in note["cells"] if Path(cell["folder"]).is_dir()}
    asked = united(*(_asked(note) for note in notes))
    records, board, found = _scored(folders, asked)
    # whoever asks for the recipe beside the tuned track wants to see both, and not one answer
    only_tuned = bool(found) and not any("recipe" in tracks for tracks in asked.values())
    print_sweep(notes, None if only_tuned else board, found if only_tuned else [])
    if len(found) > 1 and SweepEnd.weights_path is not None:
        raise UserError(f"save_weights={SweepEnd.weights_path}: this sweep has {len(found)} winners; expected one")
    for answer in found if only_tuned or SweepEnd.weights_path is not None else []:
        print_take_away(*take_away(answer, records, weights_path=SweepEnd.weights_path))
    if found:
        print_lines([board_command(records)])
    if lost:
        print_lines(["What is missing is trained by the same command:", typed_command()])
    return int(any(note["refusal"] or any(cell["error"] for cell in note["cells"]) for note in notes))


def typed_command() -> str:
    """Return the command of this sweep, as it was typed."""
    return shlex.join(["python", "-m", "bnbench.train", *sys.argv[1:]])


def _scored(folders: set[Path], asked: Tracks) -> tuple[list[Record], Board | None, list[Answer]]:
    """Return the records of these cells, their board, and their answers where the tuned track was asked for.

    What the sweep asked for counts in the tracks it was asked for, whatever it was trained for first.
    """
    if not folders:
        return [], None, []
    own = load_records(*sorted(folders), check_history=False).records
    by_workload = united(*({record.workload_id: asked.get(record.cell_id, ())} for record in own))
    runs = load_records(*sorted(folders | _references(folders, workloads=set(by_workload))))
    tracks = {record.cell_id: by_workload.get(record.workload_id, ()) for record in runs.records}
    runs = replace(runs, records=in_tracks(runs.records, {**tracks, **asked}))
    found = answers(runs.records)
    return runs.records, score(runs, costs=_costs(runs.records)), found


def _costs(records: Sequence[Record]) -> Costs:
    """Return what the entries cost; measure first what is not known on this machine, where that is asked for."""
    if SweepEnd.measure_cost:
        for failure in measure_or_say(records, command=typed_command(), say=lambda line: print_lines([line])):
            print_lines([f"Cost not measured: {failure}"])
    return load_costs(*sorted({record.path.parent.parent for record in records}))


def _asked(note: Mapping[str, Any]) -> Tracks:
    return {cell["cell_id"]: cell["tracks"] for cell in note["cells"]}


def board_command(records: Sequence[Record]) -> str:
    """Return the line that names the command for the whole board."""
    experiments = sorted({name for record in records for name in record.experiments})
    only = ["--experiment", experiments[0]] if len(experiments) == 1 else []
    command = ["python", "-m", "bnbench.leaderboard", str(SweepEnd.runs_dir), *only]
    return f"The whole board: {shlex.join(command)} (every learning rate by itself: --track recipe)"


def _references(folders: set[Path], *, workloads: set[str]) -> set[Path]:
    """Return the cells of the reference that earlier sweeps trained on these workloads."""
    runs_dirs = {folder.parent for folder in folders}
    beside = {path for runs_dir in runs_dirs for path in runs_dir.glob("*-none-*") if path.is_dir()}
    found = load_records(*sorted(beside - folders), check_history=False).records if beside - folders else []
    return {record.path.parent for record in found if record.workload_id in workloads}


def sweep_notes() -> list[dict[str, Any]]:
    """Return what the jobs of this sweep noted, in whatever process, by their numbers."""
    if SweepEnd.runs_dir is None:
        return UNWRITTEN
    written = notes_folder(SweepEnd.runs_dir).glob("[0-9]*.json")
    return [*UNWRITTEN, *(json.loads(path.read_text()) for path in sorted(written, key=lambda path: int(path.stem)))]


def lost_jobs(notes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a note for every job of this sweep that left none."""
    left = {note["job"] for note in notes}
    return [
        {"job": number, "command": command_of(overrides), "cells": [], "refusal": LOST, "tuned": None, "lost": True}
        for number, overrides in enumerate(SweepEnd.jobs)
        if number not in left
    ]


def summarise_record(record: Record) -> dict[str, Any]:
    """Return the scores of one record by name, for the summary of its run in a dashboard."""
    board = score(Runs(records=[record]), level="all", reference=record.entry)
    summary: dict[str, Any] = {}
    for row in board.entries:
        summary |= {
            f"{row.target_level}/hit_rate": row.hit_rate,
            f"{row.target_level}/steps_to_target_median": row.steps_to_target.median,
            f"{row.target_level}/steps_to_target_rmst": row.steps_to_target.rmst,
            f"{row.target_level}/steps_to_target_low": row.steps_to_target.low,
            f"{row.target_level}/steps_to_target_high": row.steps_to_target.high,
            "final": row.final.mean,
            "final_low": row.final.low,
            "final_high": row.final.high,
            "diverged": row.diverged,
            "seeds": row.n_seeds,
        }
    return summary


def command_of(overrides: Sequence[str]) -> str:
    """Return the command that runs one job again, without the secrets that may stand in it: it is recorded."""
    return shlex.join(["python", "-m", "bnbench.train", *map(masked_override, overrides)])
