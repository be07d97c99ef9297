"""The page's sections over several rows: entries across workloads, and the learning rates of the tuned track."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnbench.reports.cells import BOUND_SIGNS, NOTHING, across_rank, plain
from bnbench.reports.charts import (
    Chart,
    Style,
    always_zero,
    anchored_scores,
    best_of_rates,
    diagnostic_charts,
    performance_profile,
    rate_outcomes,
    speed_quality_cost,
)
from bnbench.reports.charts.of_board import diagnoses_by_workload
from bnbench.reports.charts.tuning import width_text
from bnbench.reports.page.blocks import chart_data
from bnbench.reports.page.forest import Tick, mark, ratio_scale, ratio_ticks
from bnbench.reports.page.rows import Cell
from bnbench.scoring.board import Across, AcrossEntry, Board, Diagnosis, Estimate, Tunability
from bnbench.scoring.speedup import Bound

Bounds = Mapping[tuple[str, str, str, str], Bound]
"""Whether a speed-up is a bound, by (workload_id, target level, track, entry)."""


@dataclass(frozen=True)
class SummaryRow:
    """An entry with its cells."""

    entry: str
    style: Style
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class SummaryTable:
    """A table of entries; `ticks` stand above its first column, whose cells are drawn."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[SummaryRow, ...]
    ticks: tuple[Tick, ...] = ()


@dataclass(frozen=True)
class Summary:
    """A part of the page that can be filtered by `workload` and `level` (empty: all) and `track`."""

    identifier: str
    title: str
    workload: str
    level: str
    track: str
    lead: str
    tables: tuple[SummaryTable, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]
    data: Mapping[str, Any]


def across_summaries(board: Board, styles: Mapping[str, Style]) -> list[Summary]:
    """Return one summary per target level and track that has several workloads."""
    bounds = {(row.workload_id, row.target_level, row.track, row.entry): row.speedup.bound for row in board.entries}
    return [_across(across, styles, bounds, f"a{index}") for index, across in enumerate(board.across)]


def tuned_summaries(board: Board, styles: Mapping[str, Style]) -> list[Summary]:
    """Return one summary per workload and target level of the tuned track."""
    groups: dict[tuple[str, str], list[Tunability]] = {}
    for each in board.tunability:
        groups.setdefault((each.workload_id, each.target_level), []).append(each)
    return [_tuned(group, styles, f"t{index}") for index, group in enumerate(groups.values())]


def why_summaries(board: Board, styles: Mapping[str, Style]) -> list[Summary]:
    """Return one summary per workload and track that was looked into."""
    groups = diagnoses_by_workload(board)
    return [_why(group, styles, f"d{index}") for index, group in enumerate(groups)]


def _across(across: Across, styles: Mapping[str, Style], bounds: Bounds, identifier: str) -> Summary:
    drawn = [anchored_scores(across, styles), performance_profile(across, styles), speed_quality_cost(across, styles)]
    charts = tuple(chart for chart in drawn if chart is not None)
    ends = [end for each in across.entries for end in (each.anchored.mean, each.anchored.low, each.anchored.high)]
    scale = ratio_scale(ends)
    scores = SummaryTable(
        caption=f"Anchored scores over {len(across.workloads)} workloads, {across.target_level} target, {across.track}",
        columns=("anchored score", "rank", "workloads", "profile area", "final quality", "step cost"),
        rows=tuple(
            SummaryRow(plain(each.entry), styles[each.entry], _scores(each, across, scale)) for each in across.entries
        ),
        ticks=tuple(ratio_ticks(scale)),
    )
    hits = SummaryTable(
        caption="Share of the seeds that reached the target, and the speed-up, on each workload",
        columns=tuple(map(plain, across.workloads)),
        rows=tuple(
            SummaryRow(plain(each.entry), styles[each.entry], _hits(each, across, bounds)) for each in across.entries
        ),
    )
    return Summary(
        identifier=identifier,
        title=plain(f"{across.target_level} target, {across.track} track"),
        workload="",
        level=plain(across.target_level),
        track=plain(across.track),
        lead=plain(f"{len(across.workloads)} workloads: {', '.join(across.workloads)}."),
        tables=(scores, hits),
        charts=charts,
        notes=tuple(map(plain, across.notes)),
        data={"charts": {f"{identifier}-{chart.name}": chart_data(chart) for chart in charts}},
    )


def _scores(each: AcrossEntry, across: Across, scale: Any) -> tuple[Cell, ...]:
    score, rank = each.anchored, across_rank(each, across)
    interval = "" if score.low is None or score.high is None else f"{score.low:.3g}–{score.high:.3g}"
    if each.is_reference:
        score, interval = Estimate(score.mean), "reference"
    told = NOTHING if score.mean is None else f"{BOUND_SIGNS[each.bound]}{score.mean:.3g}×"
    return (
        Cell(told, interval, _key(score.mean), mark(score, scale, bound=each.bound)),
        Cell(rank, sort="" if rank == NOTHING else rank),
        Cell(str(each.num_workloads), sort=str(each.num_workloads)),
        Cell(f"{each.profile_area:.3g}", sort=_key(each.profile_area)),
        Cell(NOTHING if each.quality is None else f"{100 * each.quality:.4g} %", sort=_key(each.quality)),
        Cell(NOTHING if each.relative_step is None else f"{each.relative_step:.3g}×", sort=_key(each.relative_step)),
    )


def _hits(each: AcrossEntry, across: Across, bounds: Bounds) -> tuple[Cell, ...]:
    found = []
    for identifier, rate, speedup in zip(across.workload_ids, each.hit_rates, each.speedups, strict=True):
        bound = bounds.get((identifier, across.target_level, across.track, each.entry), "exact")
        sign = "" if each.is_reference else BOUND_SIGNS[bound]
        told = "" if speedup is None else f"{sign}{speedup:.3g}×"
        found.append(Cell(NOTHING if rate is None else f"{100 * rate:.3g} %", told, _key(rate)))
    return tuple(found)


def _tuned(group: Sequence[Tunability], styles: Mapping[str, Style], identifier: str) -> Summary:
    first = group[0]
    drawn = [rate_outcomes(group), best_of_rates(group, styles)]
    charts = tuple(chart for chart in drawn if chart is not None)
    table = SummaryTable(
        caption=f"Learning rates of {plain(first.workload)}, {plain(first.target_level)} target",
        columns=("chosen rate", "rates tried", "width", "steps, best of 1", "steps, best of all"),
        rows=tuple(SummaryRow(plain(each.entry), styles[each.entry], _rates(each)) for each in group),
    )
    edges = [plain(each.entry) for each in group if each.edge]
    notes = (
        f"Chosen at the edge of the rates tried, so that a better one may lie beyond: {', '.join(edges)}."
        if edges
        else ""
    )
    return Summary(
        identifier=identifier,
        title=plain(f"{first.workload}, {first.target_level} target"),
        workload=plain(first.workload),
        level=plain(first.target_level),
        track="tuned",
        lead="Every entry was given the same number of learning rates; steps are those of the scored seeds.",
        tables=(table,),
        charts=charts,
        notes=tuple(filter(None, (notes,))),
        data={"charts": {f"{identifier}-{chart.name}": chart_data(chart) for chart in charts}},
    )


def _why(group: Sequence[Diagnosis], styles: Mapping[str, Style], identifier: str) -> Summary:
    charts = tuple(diagnostic_charts(group, styles))
    workload, track = plain(group[0].workload), plain(group[0].track)
    notes = [f"{each.entry}: {name} left out, {reason}." for each in group for name, reason in each.left_out]
    if zero := always_zero(group):
        notes.append(f"Zero throughout, up to the third quartile of the seeds: {', '.join(zero)}.")
    return Summary(
        identifier=identifier,
        title=f"{workload}, {track} track",
        workload=workload,
        level="",
        track=track,
        lead=(
            "Measured at every evaluation of the same runs, with the clock stopped; no trajectory was changed by it. "
            "Activations, units and ranks are those in evaluation, where batch norm has seen no batch before the first "
            "step and does nothing yet. "
            "Lines are medians over the seeds that are still trained, bands go from the first to the third quartile. "
            "Of several layers the last hidden one is drawn; the tables have every layer, diagnostics.parquet every "
            "seed."
        ),
        tables=(),
        charts=charts,
        notes=tuple(map(plain, notes)),
        data={"charts": {f"{identifier}-{chart.name}": chart_data(chart) for chart in charts}},
    )


def _rates(each: Tunability) -> tuple[Cell, ...]:
    ends = [each.best_of[0], each.best_of[-1]] if each.best_of else []
    bests = [Cell(NOTHING if best.rmst is None else f"{best.rmst:,.4g}", sort=_key(best.rmst)) for best in ends]
    return (
        Cell(f"{each.learning_rate:g}", f"{each.edge} tried" if each.edge else "", _key(each.learning_rate)),
        Cell(str(len(each.rates)), sort=str(len(each.rates))),
        Cell(width_text(each), sort=_key(each.width_octaves)),
        *(bests or [Cell(NOTHING), Cell(NOTHING)]),
    )


def _key(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
