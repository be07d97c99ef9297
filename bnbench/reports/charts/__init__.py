"""Charts of a board as plain data that Plotly draws: on the page, in notebooks, in Weights & Biases."""

from bnbench.reports.charts.across import anchored_scores as anchored_scores
from bnbench.reports.charts.across import performance_profile as performance_profile
from bnbench.reports.charts.across import speed_quality_cost as speed_quality_cost
from bnbench.reports.charts.chart import Chart as Chart
from bnbench.reports.charts.curves import learning_curves as learning_curves
from bnbench.reports.charts.curves import time_to_target as time_to_target
from bnbench.reports.charts.diagnostics import always_zero as always_zero
from bnbench.reports.charts.diagnostics import diagnostic_charts as diagnostic_charts
from bnbench.reports.charts.of_board import charts_of as charts_of
from bnbench.reports.charts.select import drawing_order as drawing_order
from bnbench.reports.charts.style import Style as Style
from bnbench.reports.charts.style import in_the_dark as in_the_dark
from bnbench.reports.charts.style import styles as styles
from bnbench.reports.charts.tuning import best_of_rates as best_of_rates
from bnbench.reports.charts.tuning import rate_outcomes as rate_outcomes
