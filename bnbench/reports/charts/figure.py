"""A chart as Plotly's own figure, for notebooks and for Weights & Biases; imported only where one is wanted."""

from typing import Any

import plotly.graph_objects

from bnbench.reports.charts.chart import Chart
from bnbench.reports.charts.of_board import charts_of
from bnbench.scoring.board import Board


def to_plotly(chart: Chart) -> Any:
    """Return the chart as a `plotly.graph_objects.Figure`, with its title."""
    figure = plotly.graph_objects.Figure(data=chart.figure["data"], layout=chart.figure["layout"])
    return figure.update_layout(title={"text": chart.title}, margin={"t": 56})


def figures(board: Board) -> dict[str, Any]:
    """Return every chart of a board as a Plotly figure, by "workload, level, track/chart".

    Curves are drawn of a board that holds them: `bnbench.compare` returns one, and `bnbench.score(runs, curves=True)`.
    """
    return {name: to_plotly(chart) for name, chart in charts_of(board).items()}
