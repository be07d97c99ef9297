"""A chart as plain data: what Plotly draws, and the same numbers as a table for those who do not see it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from bnbench.reports.cells import plain

INK, MUTED, GRID = "#1c2430", "#5b6574", "#e3e7ed"
"""Text, axis and grid in the light: a page that is dark replaces them, as it does the entries' colours."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
LONGEST_NAME = 36
SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True)
class Chart:
    """A figure with its words and its numbers.

    `figure`: {"data", "layout"} as Plotly reads them; `caption` says what is drawn to those who do not see it;
    `columns` and `rows` hold the numbers.
    """

    name: str
    title: str
    caption: str
    figure: Mapping[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def label(name: str) -> str:
    """Return a name from a record as text that Plotly shows as it is: its labels are a subset of HTML.

    >>> label("<b>batch</b>")
    '&lt;b&gt;batch&lt;/b&gt;'
    """
    shown = plain(name)
    return escape(shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 1]}…", quote=False)


def numbers(values: Iterable[float]) -> list[float | None]:
    """Return values as short as a screen shows them; None where there is none."""
    return [None if value is None or not math.isfinite(value) else shortened(float(value)) for value in values]


def shortened(value: float) -> float:
    """Return a finite value to four significant digits.

    >>> shortened(0.123456), shortened(123456.0)
    (0.1235, 123500.0)
    """
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def axis(title: str, **options: Any) -> dict[str, Any]:
    """Return an axis with the report's quiet lines."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": MUTED}, "standoff": 10},
        "color": MUTED,
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "automargin": True,
        **options,
    }


def layout(
    x: Mapping[str, Any], y: Mapping[str, Any], *, constant_keys: bool = False, **options: Any
) -> dict[str, Any]:
    """Return what all figures share; with `constant_keys` the markers in the legend are of one size."""
    sizing = "constant" if constant_keys else "trace"
    return {
        "xaxis": dict(x),
        "yaxis": dict(y),
        "height": 360,
        "margin": {"l": 56, "r": 26, "t": 12, "b": 48},
        "font": {"family": FONT, "size": 12, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "itemsizing": sizing},
        "hoverlabel": {"namelength": -1},
        **options,
    }


def spread(count: int, most: int) -> list[int]:
    """Return at most `most` indices of 0 … count - 1, evenly apart, both ends among them.

    >>> spread(11, 3), spread(2, 5)
    ([0, 5, 10], [0, 1])
    """
    if count <= most:
        return list(range(count))
    return sorted({round(index * (count - 1) / (most - 1)) for index in range(most)})
