"""A row of the page's tables: its texts, what it is sorted by, its drawn intervals, its drill-down."""

from dataclasses import dataclass
from typing import Any

from bnbench.reports.cells import BOUND_SIGNS, NOTHING, plain
from bnbench.reports.charts import Style
from bnbench.reports.page.drill_down import metric_value
from bnbench.reports.page.forest import Mark, Scale, mark
from bnbench.scoring.board import Estimate, Row, Workload
from bnbench.scoring.holm import ALPHA


@dataclass(frozen=True)
class Cell:
    """A number as it is read: the value, its interval in smaller letters, its drawing, and what it is sorted by."""

    text: str
    small: str = ""
    sort: str = ""
    mark: Mark | None = None


@dataclass(frozen=True)
class RowView:
    """Everything the template needs of a row."""

    identifier: str
    entry: str
    style: Style
    status: str
    status_text: str
    cells: dict[str, Cell]
    verdict: str


STATUS = {
    "reference": "reference",
    "faster": "real: faster",
    "slower": "real: slower",
    "undecided": "not decided",
    "unknown": "not compared",
}


def status_of(row: Row) -> str:
    """Return what the corrected test says of a row: reference, faster, slower, undecided or unknown."""
    if row.is_reference:
        return "reference"
    if row.speedup.p_holm is None:
        return "unknown"
    if row.speedup.p_holm > ALPHA:
        return "undecided"
    # no ratio can be formed where one of the two starts at the target; the verdict then says which
    faster = row.speedup.estimate >= 1 if row.speedup.estimate is not None else row.steps_to_target.rmst == 0
    return "faster" if faster else "slower"


def row_view(
    row: Row, workload: Workload, *, identifier: str, style: Style, speedups: Scale, finals: Scale, tuned: bool
) -> RowView:
    """Return a row as the page shows it."""
    steps = row.steps_to_target
    cells = {
        "rank": Cell(str(row.rank), sort=str(row.rank)),
        "seeds": Cell(f"{row.n_seeds:,}", sort=str(row.n_seeds)),
        "hit rate": Cell(_share(row.hit_rate), sort=_key(row.hit_rate)),
        "steps to target": Cell(_count(steps.rmst), _interval(steps.low, steps.high, ",.0f"), _key(steps.rmst)),
        "speed-up": _speedup(row, speedups),
        "final": _final(row, workload, finals),
        "diverged": Cell(str(row.diverged), sort=str(row.diverged)),
        "step cost": _step_cost(row),
    }
    if tuned:
        cells["learning rate"] = _rate(row)
    status = status_of(row)
    return RowView(
        identifier=identifier,
        entry=plain(row.entry),
        style=style,
        status=status,
        status_text=STATUS[status],
        cells=cells,
        verdict=plain(row.verdict),
    )


def final_estimate(row: Row) -> Estimate:
    """Return the final metric as an estimate."""
    return Estimate(row.final.mean, row.final.low, row.final.high)


def _speedup(row: Row, scale: Scale) -> Cell:
    speedup = row.speedup
    if row.is_reference:
        drawn = mark(Estimate(1.0), scale)
        return Cell("1×", "reference", "1", drawn)
    if speedup.estimate is None:
        return Cell(NOTHING)
    return Cell(
        f"{BOUND_SIGNS[speedup.bound]}{speedup.estimate:.3g}×",
        _interval(speedup.low, speedup.high, ".3g"),
        _key(speedup.estimate),
        mark(Estimate(speedup.estimate, speedup.low, speedup.high), scale, bound=speedup.bound),
    )


def _final(row: Row, workload: Workload, scale: Scale) -> Cell:
    final = row.final
    if final.mean is None:
        return Cell(NOTHING)
    low, high = (metric_value(end, workload).removesuffix(" %") for end in (final.low, final.high))
    interval = "" if final.low is None or final.high is None else f"{low}–{high}"
    return Cell(metric_value(final.mean, workload), interval, _key(final.mean), mark(final_estimate(row), scale))


def _step_cost(row: Row) -> Cell:
    if row.cost is None:
        return Cell(NOTHING)
    measured = f"{1e6 * row.cost.step_seconds:,.0f} µs"
    if row.cost.relative_step is None:
        return Cell(measured, "", _key(row.cost.step_seconds))
    return Cell(f"{row.cost.relative_step:.3g}×", measured, _key(row.cost.relative_step))


def _rate(row: Row) -> Cell:
    if row.tuning is None:
        return Cell(NOTHING)
    edge = f"{row.tuning.edge} tried" if row.tuning.edge else ""
    return Cell(f"{row.tuning.learning_rate:g}", edge, _key(row.tuning.learning_rate))


def _interval(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f"{low:{form}}–{high:{form}}"


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.3g} %"


def _count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _key(value: Any) -> str:
    return "" if value is None else f"{value:.10g}"
