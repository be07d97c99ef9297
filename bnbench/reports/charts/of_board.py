"""All charts of a board by name, for notebooks and for Weights & Biases."""

from collections.abc import Iterator

from bnbench.reports.cells import plain
from bnbench.reports.charts.across import anchored_scores, performance_profile, speed_quality_cost
from bnbench.reports.charts.chart import Chart
from bnbench.reports.charts.curves import learning_curves, time_to_target
from bnbench.reports.charts.diagnostics import diagnostic_charts
from bnbench.reports.charts.select import drawing_order
from bnbench.reports.charts.style import styles
from bnbench.reports.charts.tuning import best_of_rates, rate_outcomes
from bnbench.scoring.board import Board, Diagnosis, Tunability


def charts_of(board: Board) -> dict[str, Chart]:
    """Return the charts of a board that was scored with `curves=True`, by "workload, level, track/chart".

    Those over several workloads go by "all workloads, level, track/chart", those of diagnostics by "workload, why,
    track/chart".
    """
    return {f"{where}/{chart.name}": chart for where, chart in _charts(board) if chart is not None}


def _charts(board: Board) -> Iterator[tuple[str, Chart | None]]:
    chosen = styles(board)
    curves = {(each.workload_id, each.target_level, each.track, each.entry): each for each in board.curves}
    for workload in board.workloads:
        for track, rows in board.rows_of(workload):
            where = plain(f"{workload.workload}, {workload.target_level}, {track}")
            known = {row.entry: curves.get((row.workload_id, row.target_level, track, row.entry)) for row in rows}
            drawn = drawing_order(rows, {entry: each for entry, each in known.items() if each is not None})
            if drawn:
                yield where, learning_curves(workload, drawn, chosen)
                yield where, time_to_target(workload, drawn, chosen)
    for diagnoses in diagnoses_by_workload(board):
        where = plain(f"{diagnoses[0].workload}, why, {diagnoses[0].track}")
        yield from ((where, chart) for chart in diagnostic_charts(diagnoses, chosen))
    for across in board.across:
        where = f"all workloads, {across.target_level}, {across.track}"
        yield where, anchored_scores(across, chosen)
        yield where, performance_profile(across, chosen)
        yield where, speed_quality_cost(across, chosen)
    groups: dict[tuple[str, str], list[Tunability]] = {}
    for each in board.tunability:
        groups.setdefault((each.workload_id, each.target_level), []).append(each)
    for group in groups.values():
        where = plain(f"{group[0].workload}, {group[0].target_level}, tuned")
        yield where, rate_outcomes(group)
        yield where, best_of_rates(group, chosen)


def diagnoses_by_workload(board: Board) -> list[list[Diagnosis]]:
    """Return what was looked at in the rows that are shown, together what belongs to one workload and track."""
    rows = {(row.workload_id, row.track, row.entry) for row in board.entries}
    groups: dict[tuple[str, str], list[Diagnosis]] = {}
    for each in [each for each in board.diagnoses if (each.workload_id, each.track, each.entry) in rows]:
        groups.setdefault((each.workload_id, each.track), []).append(each)
    return list(groups.values())
