"""A chart as Plotly's own figure, for notebooks and for Weights & Biases; imported only where one is wanted."""

from typing import Any

import plotly.graph_objects

from bnbench.reports.charts.chart import Chart


def to_plotly(chart: Chart) -> Any:
    """Return the chart as a `plotly.graph_objects.Figure`, with its title."""
    figure = plotly.graph_objects.Figure(data=chart.figure["data"], layout=chart.figure["layout"])
    return figure.update_layout(title={"text": chart.title}, margin={"t": 56})
