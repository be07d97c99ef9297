"""A block of the page: the table of one workload, target level and track, its charts and its drill-downs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnbench.metric_facts import facts_of
from bnbench.reports.cells import plain
from bnbench.reports.charts import Chart, Style, drawing_order, learning_curves, time_to_target
from bnbench.reports.page.drill_down import drill_down, metric_value
from bnbench.reports.page.forest import Tick, end_ticks, linear_scale, ratio_scale, ratio_ticks
from bnbench.reports.page.headline import headline
from bnbench.reports.page.rows import RowView, final_estimate, row_view
from bnbench.scoring.board import Board, Curves, Row, RunFact, Workload

MOST_POINTS, FEWEST_POINTS, POINTS_IN_ALL = 80, 24, 60_000
"""Per curve and on the whole page: a screen shows hardly more, and thousands of curves must stay openable."""

Columns = tuple[tuple[str, str], ...]
RANK, RATE, COST = ("rank", "rank"), ("learning rate", "learning rate"), ("step cost", "step cost")
COLUMNS: Columns = (
    ("seeds", "seeds"),
    ("hit rate", "reached"),
    ("steps to target", "steps to target"),
    ("speed-up", "speed-up"),
    ("final", "final"),
    ("diverged", "diverged"),
)
"""Each by the name of its cell and by what its head says."""


@dataclass(frozen=True)
class Block:
    """One table of the page; `data` is what the script draws its charts and drill-downs from."""

    identifier: str
    workload: str
    level: str
    track: str
    goal: str
    provenance: str
    headline: str
    metric: str
    columns: Columns
    rows: tuple[RowView, ...]
    ticks: Mapping[str, Sequence[Tick]]
    charts: tuple[Chart, ...]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """The blocks of one workload, whatever the level and track."""

    identifier: str
    workload: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class _Source:
    """What of a board belongs to one block."""

    workload: Workload
    track: str
    rows: list[Row]
    curves: dict[str, Curves]
    runs: Mapping[str, list[RunFact]]


def sections(board: Board, styles: Mapping[str, Style]) -> list[Section]:
    """Return the board's blocks by workload, in its order."""
    most_points = max(FEWEST_POINTS, min(MOST_POINTS, POINTS_IN_ALL // max(1, len(board.curves))))
    by_workload: dict[str, list[Block]] = {}
    for number, source in enumerate(_sources(board)):
        block = _block(source, board.reference, styles, identifier=f"b{number}", most_points=most_points)
        by_workload.setdefault(block.workload, []).append(block)  # by name: each track has an id of its own
    return [Section(f"w{index}", name, tuple(blocks)) for index, (name, blocks) in enumerate(by_workload.items())]


def _sources(board: Board) -> list[_Source]:
    rows: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in board.entries:
        rows[row.workload_id, row.target_level][row.track].append(row)
    curves: dict[tuple[str, str, str], dict[str, Curves]] = defaultdict(dict)
    for each in board.curves:
        curves[each.workload_id, each.target_level, each.track][each.entry] = each
    runs: dict[tuple[str, str], dict[str, list[RunFact]]] = defaultdict(lambda: defaultdict(list))
    for run in board.runs:
        runs[run.workload_id, run.track][run.entry].append(run)
    return [
        _Source(workload, track, rows[key][track], curves[*key, track], runs[workload.workload_id, track])
        for workload in board.workloads
        for key in [(workload.workload_id, workload.target_level)]
        for track in sorted(rows[key])
    ]


def _block(source: _Source, reference: str, styles: Mapping[str, Style], *, identifier: str, most_points: int) -> Block:
    workload, rows = source.workload, source.rows
    speedups = ratio_scale(bound for row in rows for bound in (row.speedup.estimate, row.speedup.low, row.speedup.high))
    ends = [final_estimate(row) for row in rows]
    finals = linear_scale(bound for end in ends for bound in (end.mean, end.low, end.high))
    tuned = any(row.tuning is not None for row in rows)
    measured = any(row.cost is not None for row in rows)
    views = tuple(
        row_view(
            row,
            workload,
            identifier=f"{identifier}r{index}",
            style=styles[row.entry],
            speedups=speedups,
            finals=finals,
            tuned=tuned,
        )
        for index, row in enumerate(rows)
    )
    charts = _charts(source, styles, most_points)
    opened = {
        view.identifier: drill_down(row, workload, source.curves.get(row.entry), source.runs.get(row.entry, []))
        for view, row in zip(views, rows, strict=True)
    }
    return Block(
        identifier=identifier,
        workload=plain(workload.workload),
        level=plain(workload.target_level),
        track=plain(source.track),
        goal=plain(_goal(workload)),
        provenance=plain(workload.provenance) or "The records do not tell.",
        headline=headline(rows, workload, reference),
        metric=plain(workload.metric),
        columns=(RANK, *((RATE,) if tuned else ()), *COLUMNS, *((COST,) if measured else ())),
        rows=views,
        ticks={
            "speed-up": ratio_ticks(speedups),
            "final": end_ticks(finals, lambda end: metric_value(end, workload)),
        },
        charts=tuple(charts),
        data={"charts": {f"{identifier}-{chart.name}": chart_data(chart) for chart in charts}, "rows": opened},
    )


def _goal(workload: Workload) -> str:
    """Return "Target: accuracy 93.38 % within 1,000 steps, evaluated every 20."."""
    budget = f"within {workload.max_steps:,} steps, evaluated every {workload.eval_every_steps:,}."
    if workload.target is None:
        return f"{workload.metric}, no {workload.target_level} target, {budget}"
    told = facts_of(workload.metric).told(workload.target)
    better = "or more" if workload.direction == "max" else "or less"
    return f"Target: {workload.metric} {told} {better} {budget}"


def _charts(source: _Source, styles: Mapping[str, Style], most_points: int) -> list[Chart]:
    curves: Sequence[Curves] = drawing_order(source.rows, source.curves)
    if not curves:
        return []
    made = [
        learning_curves(source.workload, curves, styles, most_points=most_points),
        time_to_target(source.workload, curves, styles),
    ]
    return [chart for chart in made if chart is not None]


def chart_data(chart: Chart) -> dict[str, Any]:
    """Return what the script draws a chart and its table from."""
    return {
        "figure": chart.figure,
        "columns": [plain(column) for column in chart.columns],
        "rows": [[plain(text) for text in row] for row in chart.rows],
    }
