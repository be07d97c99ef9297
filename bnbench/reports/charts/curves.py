"""Charts of one block of a board: learning curves with bands, and how many seeds have reached the target when."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnbench.metric_facts import facts_of
from bnbench.reports.charts.chart import Chart, axis, label, layout, numbers, spread
from bnbench.reports.charts.lines import band_and_line, drawn_as
from bnbench.reports.charts.style import Style
from bnbench.scoring.board import Curves, Workload

MOST_DRAWN = 8
"""More lines than this are in the legend and drawn when asked for."""
TABLE_STEPS = 9
MUCH_LARGER = 10
LONG_NAME, MOST_LEGEND_LINES = 20, 12


def learning_curves(
    workload: Workload, curves: Sequence[Curves], styles: Mapping[str, Style], *, most_points: int = 120
) -> Chart:
    """Return the median of the validation metric over the seeds, in a band from their first to their third quartile."""
    scale = 100.0 if facts_of(workload.metric).in_per_cent else 1.0
    data: list[dict[str, Any]] = []
    for index, curve in enumerate(curves):
        data += _line_with_band(curve, styles[curve.entry], scale, most_points, drawn=index < MOST_DRAWN)
    scaling = _scaling(workload, curves)
    suffix = " %" if scale != 1.0 else ""
    figure = layout(
        axis("step", range=[0, workload.max_steps], tickformat=","),
        axis(f"validation {label(workload.metric)}", ticksuffix=suffix, **scaling),
        hovermode="x unified",
        height=_height(curves),
        **_target_line(workload, scale, logarithmic="type" in scaling),
    )
    return Chart(
        name="learning_curves",
        title="Learning curves",
        caption=(
            f"Validation {workload.metric} against the step, one line per entry: the median over the seeds, within a "
            "band from the first to the third quartile. A diverged seed counts at the trivial predictor's value from "
            f"its death on.{' The axis is logarithmic.' if 'type' in scaling else ''}"
            f"{' What lies far below is not drawn.' if 'range' in scaling else ''}"
            f"{_on_request(curves)}"
        ),
        figure={"data": data, "layout": figure},
        **_table(curves, lambda curve, index: _quartiles(curve, index, scale, suffix)),
    )


def time_to_target(workload: Workload, curves: Sequence[Curves], styles: Mapping[str, Style]) -> Chart | None:
    """Return the share of seeds that have reached the target against the step, None where there is no target."""
    known = [curve for curve in curves if curve.hit_share is not None]
    if workload.target is None or not known:
        return None
    data = [_stairs(curve, styles[curve.entry], drawn=index < MOST_DRAWN) for index, curve in enumerate(known)]
    return Chart(
        name="time_to_target",
        title="Time to target",
        caption=(
            f"Share of the seeds that have reached {workload.metric} {facts_of(workload.metric).told(workload.target)} "
            f"against the step, one staircase per entry. What has not reached it at step {workload.max_steps:,} is "
            f"censored there, not dropped.{_on_request(known)}"
        ),
        figure={
            "data": data,
            "layout": layout(
                axis("step", range=[0, workload.max_steps], tickformat=","),
                axis("seeds that reached it", range=[-2, 103], ticksuffix=" %"),
                hovermode="closest",
                height=_height(known),
            ),
        },
        **_table(known, _reached),
    )


def _on_request(curves: Sequence[Curves]) -> str:
    return f" Only {MOST_DRAWN} lines are drawn; a press on a name draws it." if len(curves) > MOST_DRAWN else ""


def _height(curves: Sequence[Curves]) -> int:
    """Return a height, in pixels, of which the legend of many or long names leaves enough to the lines."""
    names_in_line = 1 if max((len(curve.entry) for curve in curves), default=0) > LONG_NAME else 4
    lines = min(math.ceil(len(curves) / names_in_line), MOST_LEGEND_LINES)
    return 360 + 20 * max(0, lines - 2)


def _line_with_band(
    curve: Curves, style: Style, scale: float, most_points: int, *, drawn: bool
) -> list[dict[str, Any]]:
    kept = spread(len(curve.steps), most_points)
    known = [index for index in kept if np.isfinite([curve.median[index], curve.low[index], curve.high[index]]).all()]
    steps = [int(curve.steps[index]) for index in known]
    low, median, high = (
        numbers(scale * values[index] for index in known) for values in (curve.low, curve.median, curve.high)
    )
    return band_and_line(curve.entry, style, steps, low=low, median=median, high=high, drawn=drawn)


def _stairs(curve: Curves, style: Style, *, drawn: bool) -> dict[str, Any]:
    """Only where it rises does a staircase need a point."""
    assert curve.hit_share is not None
    rises = np.flatnonzero(np.diff(curve.hit_share) != 0) + 1
    corners = sorted({0, *rises.tolist(), len(curve.steps) - 1})
    drawing = drawn_as(style)
    return {
        "type": "scatter",
        "name": label(curve.entry),
        "visible": True if drawn else "legendonly",
        "x": [int(curve.steps[index]) for index in corners],
        "y": numbers(100 * curve.hit_share[index] for index in corners),
        **drawing,
        "line": {**drawing["line"], "shape": "hv"},
        "hovertemplate": "step %{x:,}: %{y:.3g} %<extra>%{fullData.name}</extra>",
    }


def _scaling(workload: Workload, curves: Sequence[Curves]) -> dict[str, Any]:
    """At first an error may be a thousand times the last one, and an R² far below zero: the end must be seen."""
    drawn = [values[np.isfinite(values)] for curve in curves for values in (curve.low, curve.median, curve.high)]
    values = np.concatenate(drawn) if drawn else np.zeros(0)
    if not len(values) or facts_of(workload.metric).in_per_cent:
        return {}
    lowest, lower, highest = np.quantile(values, [0.0, 0.1, 1.0]).tolist()
    if workload.direction == "min":
        return {"type": "log"} if lowest > 0 and highest > MUCH_LARGER * lowest else {}
    if lower - lowest <= MUCH_LARGER * (highest - lower):
        return {}
    return {"range": [lower - (highest - lower), highest + 0.05 * (highest - lower)]}


def _target_line(workload: Workload, scale: float, *, logarithmic: bool) -> dict[str, Any]:
    if workload.target is None:
        return {}
    height = scale * workload.target
    line = {"color": "#5b6574", "width": 1, "dash": "dot"}
    ends = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": height, "y1": height}
    # on a logarithmic axis Plotly wants the logarithm for a text, and the number for a line
    place = math.log10(height) if logarithmic and height > 0 else height
    told = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "y", "y": place, "yanchor": "bottom"}
    text = f"{label(workload.target_level)} target"
    note = {**told, "text": text, "showarrow": False, "font": {"size": 11, "color": "#5b6574"}}
    return {"shapes": [{"type": "line", "layer": "below", "line": line, **ends}], "annotations": [note]}


def _table(curves: Sequence[Curves], told: Any) -> dict[str, Any]:
    """A few steps are enough to read; all entries of a block share their evaluated steps."""
    if not curves:
        return {"columns": ("step",), "rows": ()}
    steps = curves[0].steps
    kept = spread(len(steps), TABLE_STEPS)
    return {
        "columns": ("entry", *(f"step {int(steps[index]):,}" for index in kept)),
        "rows": tuple((curve.entry, *(told(curve, index) for index in kept)) for curve in curves),
    }


def _quartiles(curve: Curves, index: int, scale: float, suffix: str) -> str:
    if index >= len(curve.steps) or not np.isfinite(curve.median[index]):
        return "–"
    low, median, high = (scale * float(values[index]) for values in (curve.low, curve.median, curve.high))
    return f"{median:.4g}{suffix} ({low:.4g}–{high:.4g})"


def _reached(curve: Curves, index: int) -> str:
    if curve.hit_share is None or index >= len(curve.steps):
        return "–"
    count = len(curve.seeds)
    return f"{round(count * float(curve.hit_share[index]))} of {count}" if count else f"{curve.hit_share[index]:.0%}"
