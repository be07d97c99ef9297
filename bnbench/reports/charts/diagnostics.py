"""Charts of what was looked at inside the networks: why a norm helps, or does not."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnbench.reports.cells import NOTHING, plain
from bnbench.reports.charts.chart import Chart, axis, label, layout, numbers, spread
from bnbench.reports.charts.diagnostic_words import INPUTS, NOT_DRAWN, WORDS, Words
from bnbench.reports.charts.lines import band_and_line
from bnbench.reports.charts.style import Style
from bnbench.scoring.board import Diagnosis, DiagnosticCurve

MOST_POINTS = 80
LARGE_RATIO = 30.0


def diagnostic_charts(diagnoses: Sequence[Diagnosis], styles: Mapping[str, Style]) -> list[Chart]:
    """Return the charts of the entries of one workload and track; of several layers the last hidden one is drawn.

    What is zero throughout has none: `always_zero` names it.
    """
    found = _by_name(diagnoses)
    for name in always_zero(diagnoses):
        del found[name]
    charts = [_inputs(found, styles)] if set(INPUTS) <= set(found) else []
    charts += [_in_depth(found["gradient_norm"], styles)] if "gradient_norm" in found else []
    known = [name for name in WORDS if name in found]
    others = sorted(set(found) - set(WORDS) - NOT_DRAWN - {"gradient_norm"})
    charts += [_over_steps(name, found[name], styles) for name in (*known, *others)]
    return charts


def always_zero(diagnoses: Sequence[Diagnosis]) -> list[str]:
    """Return the measurements whose quartiles are zero for every entry and layer at every evaluation."""
    return [
        name
        for name, entries in _by_name(diagnoses).items()
        if not any(np.nan_to_num([curve.low, curve.high], nan=1.0).any() for each in entries.values() for curve in each)
    ]


def _by_name(diagnoses: Sequence[Diagnosis]) -> dict[str, dict[str, list[DiagnosticCurve]]]:
    found: dict[str, dict[str, list[DiagnosticCurve]]] = {}
    for each in diagnoses:
        for curve in each.curves:
            found.setdefault(curve.name, {}).setdefault(each.entry, []).append(curve)
    return found


def drawn_layer(curves: Sequence[DiagnosticCurve]) -> DiagnosticCurve:
    """Return the curve of the last hidden layer, of the whole network where there are no layers."""
    hidden = [curve for curve in curves if curve.layer.startswith("hidden.")]
    return max(hidden or curves, key=lambda curve: _in_order(curve.layer))


def _in_order(layer: str) -> tuple[Any, ...]:
    """Order "hidden.2" before "hidden.10"."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"[.]", layer))


def _over_steps(name: str, entries: Mapping[str, Sequence[DiagnosticCurve]], styles: Mapping[str, Style]) -> Chart:
    words = WORDS.get(name, Words(label(name), label(name), "Measured at every evaluation."))
    drawn = {entry: drawn_layer(curves) for entry, curves in entries.items()}
    layers = sorted({curve.layer for curve in drawn.values() if curve.layer})
    data = [trace for entry, curve in drawn.items() for trace in _band_and_line(entry, curve, styles[entry])]
    options: dict[str, Any] = {"type": "log", "exponentformat": "power"} if _spans(drawn.values()) else {}
    line = {} if words.line is None or options else _line_at(words.line)
    where = f" Drawn: {plain(', '.join(layers))}." if layers else ""
    return Chart(
        name=plain(name),
        title=words.title,
        caption=(f"{words.reading}{where}{' The axis is logarithmic.' if options else ''}"),
        figure={
            "data": data,
            "layout": layout(
                axis("step", tickformat=",", rangemode="tozero"),
                axis(words.axis, **options),
                hovermode="x unified",
                **line,
            ),
        },
        **_table(entries),
    )


def _inputs(found: Mapping[str, Mapping[str, Sequence[DiagnosticCurve]]], styles: Mapping[str, Style]) -> Chart:
    """Return the percentiles of what goes into the last hidden nonlinearity, as Ioffe and Szegedy drew them."""
    low, middle, high = (found[name] for name in INPUTS)
    data = []
    for entry in [entry for entry in middle if entry in low and entry in high]:
        curve, below, above = (drawn_layer(each[entry]) for each in (middle, low, high))
        ends = DiagnosticCurve("", curve.layer, curve.steps, curve.median, below.median, above.median, curve.num_seeds)
        data += _band_and_line(entry, ends, styles[entry])
    layers = {f"{name.removeprefix('activation_')}": found[name] for name in INPUTS}
    entries = {f"{entry}, {short}": list(curves) for short, each in layers.items() for entry, curves in each.items()}
    return Chart(
        name="activation_percentiles",
        title="What goes into the last hidden nonlinearity",
        caption=(
            "The 15th, 50th and 85th percentile of the inputs of the last hidden layer's nonlinearity, over units and "
            "the rows of a fixed probe batch: the line is the median, the band the other two, each the median over "
            "the seeds. A band that keeps its place is a steady distribution (Ioffe and Szegedy 2015, figure 1)."
        ),
        figure={
            "data": data,
            "layout": layout(axis("step", tickformat=",", rangemode="tozero"), axis("input"), hovermode="x unified"),
        },
        **_table(entries),
    )


def _in_depth(entries: Mapping[str, Sequence[DiagnosticCurve]], styles: Mapping[str, Style]) -> Chart:
    """Return the gradients of the layers, at first and at last."""
    data = []
    for entry, curves in entries.items():
        ordered = sorted(curves, key=lambda curve: _in_order(curve.layer))
        for moment, place, dash in (("first", 0, "dot"), ("last", -1, "solid")):
            known = [curve for curve in ordered if len(curve.steps) and np.isfinite(curve.median[place])]
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": label(entry),
                    "legendgroup": label(entry),
                    "showlegend": dash == "solid",
                    "hovertemplate": f"%{{x}}: %{{y:.3g}}<extra>%{{fullData.name}}, {moment}</extra>",
                    "x": [label(curve.layer) for curve in known],
                    "y": numbers(float(curve.median[place]) for curve in known),
                    "line": {"color": styles[entry].color, "width": 2, "dash": dash},
                    "marker": {"color": styles[entry].color, "size": 7, "symbol": styles[entry].symbol},
                }
            )
    return Chart(
        name="gradient_norm",
        title="Gradients in depth",
        caption=(
            "Norm of the gradient by the weights of each layer, the input on the left: dotted before the first step, "
            "solid at the last evaluation. Median over the seeds; the axis is logarithmic."
        ),
        figure={
            "data": data,
            "layout": layout(
                axis("layer", type="category"), axis("‖gradient‖", type="log", exponentformat="power"), height=400
            ),
        },
        **_table(entries),
    )


def _band_and_line(entry: str, curve: DiagnosticCurve, style: Style) -> list[dict[str, Any]]:
    kept = [index for index in spread(len(curve.steps), MOST_POINTS) if np.isfinite(curve.median[index])]
    steps = [int(curve.steps[index]) for index in kept]
    low, median, high = (
        numbers(float(each[index]) for index in kept) for each in (curve.low, curve.median, curve.high)
    )
    return band_and_line(entry, style, steps, low=low, median=median, high=high)


def _spans(curves: Any) -> bool:
    """Return whether the values are all above zero and so far apart that only logarithms show them."""
    values = np.concatenate([np.concatenate([curve.low, curve.high]) for curve in curves])
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() > 0 and values.max() > LARGE_RATIO * values.min())


def _line_at(height: float) -> dict[str, Any]:
    ends = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": height, "y1": height}
    return {
        "shapes": [{"type": "line", "layer": "below", "line": {"color": "#5b6574", "width": 1, "dash": "dot"}, **ends}]
    }


def _table(entries: Mapping[str, Sequence[DiagnosticCurve]]) -> dict[str, Any]:
    """Every layer, at the first evaluation, in the middle and at the last."""
    rows = []
    for entry, curves in entries.items():
        for curve in sorted(curves, key=lambda each: _in_order(each.layer)):
            places = (0, len(curve.steps) // 2, len(curve.steps) - 1)
            told = [_told(curve, place) for place in places]
            rows.append((entry, curve.layer or "network", *told, str(curve.num_seeds)))
    return {"columns": ("entry", "layer", "first", "middle", "last", "seeds"), "rows": tuple(rows)}


def _told(curve: DiagnosticCurve, place: int) -> str:
    value = float(curve.median[place])
    return f"{value:.4g} (step {int(curve.steps[place]):,})" if np.isfinite(value) else NOTHING
