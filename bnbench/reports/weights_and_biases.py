"""The board as a run in Weights & Biases: tables, charts and the page, so that the project shows it."""

import re
from pathlib import Path
from typing import Any

import wandb

from bnbench.errors import UserError
from bnbench.reports.cells import NOTHING, across_rank, plain
from bnbench.reports.charts import charts_of
from bnbench.reports.charts.figure import to_plotly
from bnbench.reports.csv_report import flat_rows, header
from bnbench.reports.page import to_html
from bnbench.scoring.board import Across, Board
from bnbench.wandb_run import start_wandb_run

JOB_TYPE = "leaderboard"
FIRST = ("workload", "target_level", "track", "rank", "entry", "speedup_estimate", "speedup_bound", "verdict")
"""Columns that stand first: a table in the browser shows a handful."""


def log_board(board: Board, *, project: str, entity: str | None, folder: Path, command: str) -> str:
    """Log a board that was scored with `curves=True` as a run of its own; return a line that says where it is.

    The run holds the tables `leaderboard` (a row per entry), `across` (a row per entry over all workloads) and
    `skipped`, each chart below `charts/`, the whole `page`, and in its summary who leads each workload. Raises
    UserError where the run cannot be started or written.
    """
    try:
        run = start_wandb_run(
            project=project,
            entity=entity,
            folder=folder,
            name=JOB_TYPE,
            job_type=JOB_TYPE,
            config={"command": command, "reference": board.reference},
        )
        failed = True
        try:
            run.log(tables(board) | charts(board) | {"page": wandb.Html(to_html(board), inject=False)})
            run.summary.update(leaders(board))
            failed = False
        finally:
            run.finish(exit_code=int(failed))
    except (wandb.Error, OSError) as error:
        raise UserError(f"the board could not be logged to Weights & Biases: {error}") from error
    return _where(run)


def tables(board: Board) -> dict[str, Any]:
    """Return the board's tables; numbers stay numbers, so that they sort and filter."""
    names = header()
    order = [*map(names.index, FIRST), *(index for index, name in enumerate(names) if name not in FIRST)]
    rows = [[_value(row[index]) for index in order] for row in flat_rows(board)]
    made = {"leaderboard": wandb.Table(columns=[names[index] for index in order], data=rows, allow_mixed_types=True)}
    if board.across:
        of_entries = [values for across in board.across for values in _across(across)]
        made["across"] = wandb.Table(columns=ACROSS, data=of_entries, allow_mixed_types=True)
    skipped = [[plain(str(item.path)), plain(item.reason)] for item in board.skipped]
    return made | {"skipped": wandb.Table(columns=["path", "reason"], data=skipped)}


def charts(board: Board) -> dict[str, Any]:
    """Return the board's charts by the key they have in the run."""
    return {f"charts/{_as_file(name)}": wandb.Plotly(to_plotly(chart)) for name, chart in charts_of(board).items()}


def leaders(board: Board) -> dict[str, Any]:
    """Return for the run's summary the first of every workload, level and track, and the anchored scores."""
    found: dict[str, Any] = {
        "workloads": len(board.workloads),
        "rows": len(board.entries),
        "skipped": len(board.skipped),
    }
    for workload in board.workloads:
        for track, rows in board.rows_of(workload):
            where = plain(f"{workload.workload}/{workload.target_level}/{track}")
            first = [row for row in rows if row.rank == 1]
            found[f"{where}/first"] = ", ".join(plain(row.entry) for row in first)
            found[f"{where}/verdict"] = " ".join(plain(row.verdict) for row in first)
    for across in board.across:
        for entry in across.entries:
            found[f"anchored/{across.target_level}/{across.track}/{plain(entry.entry)}"] = entry.anchored.mean
    return found


ACROSS: list[str | int] = [
    "target_level",
    "track",
    "rank",
    "entry",
    "norm",
    "anchored_score",
    "anchored_low",
    "anchored_high",
    "bound",
    "num_workloads",
    "profile_area",
    "quality",
    "relative_step",
]


def _across(across: Across) -> list[list[Any]]:
    return [
        [
            across.target_level,
            across.track,
            entry.rank if across_rank(entry, across) != NOTHING else None,
            plain(entry.entry),
            plain(entry.norm),
            entry.anchored.mean,
            entry.anchored.low,
            entry.anchored.high,
            entry.bound,
            entry.num_workloads,
            entry.profile_area,
            entry.quality,
            entry.relative_step,
        ]
        for entry in across.entries
    ]


def _as_file(name: str) -> str:
    """Return a chart's name as its file may be called, which W&B makes of the key: names are strangers' text.

    >>> _as_file("../my:data, hard, recipe/learning_curves")
    '___my_data, hard, recipe/learning_curves'
    """
    where, _, chart = name.rpartition("/")
    return "/".join((re.sub(r"[^\w ,=()-]", "_", where), chart))


def _value(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value


def _where(run: Any) -> str:
    if run.settings.mode == "online":
        return f"The board is in Weights & Biases: {run.url}"
    if run.settings.mode == "disabled":
        return "WANDB_MODE=disabled: nothing was logged to Weights & Biases."
    folder = Path(run.settings.sync_dir)
    return f"The board is kept offline; to upload it: wandb sync {folder}"
