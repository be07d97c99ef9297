"""Charts over several workloads: anchored scores, performance profile, and speed against quality and cost."""

import math
from collections.abc import Mapping
from typing import Any

from bnbench.reports.cells import BOUND_SIGNS, plain
from bnbench.reports.charts.chart import Chart, axis, label, layout, numbers, shortened
from bnbench.reports.charts.curves import MOST_DRAWN
from bnbench.reports.charts.style import Style
from bnbench.scoring.board import Across, AcrossEntry

PROFILE_END = 4.0
RATIOS = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0)
SMALLEST, LARGEST = 9.0, 40.0


def anchored_scores(across: Across, styles: Mapping[str, Style]) -> Chart:
    """Return each entry's geometric mean of speed-ups against the reference, with its interval."""
    known = [entry for entry in across.entries if entry.anchored.mean is not None]
    data = [_scored(entry, styles[entry.entry]) for entry in known]
    bounds = [bound for entry in known for bound in (entry.anchored.low, entry.anchored.mean, entry.anchored.high)]
    return Chart(
        name="anchored_scores",
        title="Anchored score",
        caption=(
            f"Geometric mean of the speed-ups over {len(across.workloads)} workloads with its 95 % interval, one row "
            "per entry. 1× is the reference; ≥ and ≤ mark bounds, a hollow ~ what bounds nothing."
            f"{_incomplete(across)}"
        ),
        figure={
            "data": data,
            "layout": layout(
                ratio_axis("speed-up against the reference", [bound for bound in bounds if bound]),
                axis("", autorange="reversed", type="category"),
                height=90 + 30 * max(len(known), 2),
                showlegend=False,
                shapes=[_upright_at_one()],
            ),
        },
        columns=("entry", "anchored score", "workloads"),
        rows=tuple((entry.entry, _score_text(entry), str(entry.num_workloads)) for entry in across.entries),
    )


def performance_profile(across: Across, styles: Mapping[str, Style]) -> Chart:
    """Return the share of workloads on which an entry is within a factor of the best, against that factor."""
    data = []
    for index, entry in enumerate(across.entries):
        style = styles[entry.entry]
        corners = [(ratio, share) for ratio, share in entry.profile if ratio <= PROFILE_END]
        if corners and corners[-1][0] < PROFILE_END:
            corners.append((PROFILE_END, corners[-1][1]))
        data.append(
            {
                "type": "scatter",
                "name": label(entry.entry),
                "visible": True if index < MOST_DRAWN else "legendonly",
                "x": numbers(ratio for ratio, _ in corners),
                "y": numbers(100 * share for _, share in corners),
                "mode": "lines+markers",
                "line": {"color": style.color, "width": 2, "dash": style.dash, "shape": "hv"},
                "marker": {"color": style.color, "size": 7, "symbol": style.symbol, "maxdisplayed": 9},
                "hovertemplate": "within %{x}× of the best: %{y:.3g} % of workloads<extra>%{fullData.name}</extra>",
            }
        )
    return Chart(
        name="performance_profile",
        title="Performance profile",
        caption=(
            "Share of the workloads on which an entry needs at most so many times the steps of the best entry, "
            "against that factor, from 1 to 4. The higher and the further left a staircase rises, the better."
        ),
        figure={
            "data": data,
            "layout": layout(
                axis("at most … times the steps of the best", range=[0.97, PROFILE_END], ticksuffix="×"),
                axis("share of workloads", range=[-2, 103], ticksuffix=" %"),
                hovermode="closest",
            ),
        },
        columns=("entry", "area under the profile", "best on", "within 2×"),
        rows=tuple(
            (entry.entry, f"{entry.profile_area:.3g}", _share_within(entry, 1.0), _share_within(entry, 2.0))
            for entry in across.entries
        ),
    )


def speed_quality_cost(across: Across, styles: Mapping[str, Style]) -> Chart | None:
    """Return speed against final quality, the marker's area the cost of a step; None where no entry has both."""
    known = [entry for entry in across.entries if entry.anchored.mean and entry.quality is not None]
    if not known:
        return None
    rows = tuple(
        (
            entry.entry,
            _score_text(entry),
            "–" if entry.quality is None else f"{100 * entry.quality:.4g} %",
            "not measured" if entry.relative_step is None else f"{entry.relative_step:.3g}×",
        )
        for entry in across.entries
    )
    return Chart(
        name="speed_quality_cost",
        title="Speed, quality and cost",
        caption=(
            "Each entry's anchored score against the quality that it ends with, the way from the trivial predictor to "
            "the target being 100 %. The larger the marker, the dearer a step; hollow: not measured. Upper right and "
            f"small is best.{_incomplete(across)}"
        ),
        figure={
            "data": [_placed(entry, styles[entry.entry]) for entry in known],
            "layout": layout(
                ratio_axis("speed-up against the reference", [entry.anchored.mean or 1.0 for entry in known]),
                axis("final quality, 100 % at the target", ticksuffix=" %"),
                hovermode="closest",
                shapes=[_upright_at_one()],
                constant_keys=True,
            ),
        },
        columns=("entry", "anchored score", "final quality", "cost of a step"),
        rows=rows,
    )


def ratio_axis(title: str, ratios: list[float]) -> dict[str, Any]:
    """Return a logarithmic axis of ratios, 1 always on it, with ticks that people say."""
    low, high = min([*ratios, 1.0]) / 1.12, max([*ratios, 1.0]) * 1.12
    ticks = [ratio for ratio in RATIOS if low <= ratio <= high]
    while len(ticks) > 7:
        ticks = [ratio for ratio in ticks if ratio == 1.0 or ticks.index(ratio) % 2 == ticks.index(1.0) % 2]
    return axis(
        title,
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[f"{ratio:g}×" for ratio in ticks],
    )


def _scored(entry: AcrossEntry, style: Style) -> dict[str, Any]:
    mean, low, high = entry.anchored.mean, entry.anchored.low, entry.anchored.high
    assert mean is not None
    hollow = "-open" if entry.bound == "undefined" else ""
    trace: dict[str, Any] = {
        "type": "scatter",
        "name": label(entry.entry),
        "x": [shortened(mean)],
        "y": [label(entry.entry)],
        "mode": "markers+text",
        "text": [BOUND_SIGNS[entry.bound].strip()],
        "textposition": "top center",
        "marker": {"color": style.color, "size": 10, "symbol": f"{style.symbol}{hollow}"},
        "hovertemplate": f"{BOUND_SIGNS[entry.bound]}%{{x:.3g}}×<extra>%{{fullData.name}}</extra>",
    }
    if low is not None and high is not None:
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [shortened(high - mean)],
            "arrayminus": [shortened(mean - low)],
            "color": style.color,
            "thickness": 2,
            "width": 5,
        }
    return trace


def _placed(entry: AcrossEntry, style: Style) -> dict[str, Any]:
    assert entry.anchored.mean is not None
    assert entry.quality is not None
    cost = entry.relative_step
    size = SMALLEST if cost is None else min(LARGEST, max(SMALLEST, 14.0 * math.sqrt(max(cost, 0.0))))
    symbol = f"{style.symbol}-open" if cost is None else style.symbol
    told = "not measured" if cost is None else f"{cost:.3g}×"
    return {
        "type": "scatter",
        "name": label(entry.entry),
        "x": [shortened(entry.anchored.mean)],
        "y": [shortened(100 * entry.quality)],
        "mode": "markers",
        "marker": {"color": style.color, "size": size, "symbol": symbol, "line": {"width": 1, "color": style.color}},
        "hovertemplate": f"%{{x:.3g}}×, quality %{{y:.4g}} %, a step costs {told}<extra>%{{fullData.name}}</extra>",
    }


def _score_text(entry: AcrossEntry) -> str:
    if entry.anchored.mean is None:
        return "–"
    low, high = entry.anchored.low, entry.anchored.high
    interval = "" if low is None or high is None else f" [{low:.3g}–{high:.3g}]"
    return f"{BOUND_SIGNS[entry.bound]}{entry.anchored.mean:.3g}×{interval}"


def _incomplete(across: Across) -> str:
    """Return what has to be said of scores over fewer workloads, which stand beside the others."""
    fewer = [entry for entry in across.entries if entry.num_workloads < len(across.workloads)]
    if not fewer:
        return ""
    told = ", ".join(f"{plain(entry.entry)} ({entry.num_workloads})" for entry in fewer)
    return f" Over fewer workloads, so not comparable: {told}."


def _share_within(entry: AcrossEntry, factor: float) -> str:
    shares = [share for ratio, share in entry.profile if ratio <= factor]
    return f"{100 * (shares[-1] if shares else 0.0):.3g} %"


def _upright_at_one() -> dict[str, Any]:
    line = {"color": "#5b6574", "width": 1, "dash": "dot"}
    return {"type": "line", "layer": "below", "line": line, "yref": "paper", "y0": 0, "y1": 1, "x0": 1, "x1": 1}
