"""How an entry is drawn as a line, and as a line in a band."""

from collections.abc import Sequence
from typing import Any

from bnbench.reports.charts.chart import label
from bnbench.reports.charts.style import Style

Numbers = Sequence[float | None]


def drawn_as(style: Style) -> dict[str, Any]:
    """Return what makes a line the entry's: its colour, dashes and markers."""
    return {
        "mode": "lines+markers",
        "line": {"color": style.color, "width": 2, "dash": style.dash},
        "marker": {"color": style.color, "size": 7, "symbol": style.symbol, "maxdisplayed": 9},
    }


def band_and_line(
    entry: str, style: Style, steps: Sequence[int], *, low: Numbers, median: Numbers, high: Numbers, drawn: bool = True
) -> list[dict[str, Any]]:
    """Return the traces of a line in its band; what is not `drawn` is in the legend and drawn when asked for."""
    shared = {
        "type": "scatter",
        "legendgroup": label(entry),
        "name": label(entry),
        "visible": True if drawn else "legendonly",
    }
    band = {
        **shared,
        "x": [*steps, *reversed(steps)],
        "y": [*high, *reversed(low)],
        "mode": "lines",
        "fill": "toself",
        "fillcolor": style.band,
        "line": {"width": 0, "color": style.color},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return [band, {**shared, "x": steps, "y": median, **drawn_as(style)}]
