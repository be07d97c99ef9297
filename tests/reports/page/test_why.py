"""The "why" panel: every diagnostic on a chart, of several layers the last hidden one, nothing as HTML."""

import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from bnbench.reports.charts import always_zero, charts_of, diagnostic_charts, styles
from bnbench.reports.charts.diagnostics import drawn_layer
from bnbench.reports.page import to_html
from bnbench.reports.page.summaries import why_summaries
from bnbench.scoring.board import Board, Diagnosis


@pytest.fixture(scope="module")
def board(board_of: Callable[..., Board]) -> Board:
    return board_of(num_workloads=1, tracks=("recipe",))


@pytest.fixture
def diagnoses(board: Board) -> tuple[Diagnosis, ...]:
    return board.diagnoses


def test_a_workload_has_one_panel_whatever_its_levels(board: Board) -> None:
    (panel,) = why_summaries(board, styles(board))
    assert panel.title == "digits · lr=0.1, recipe track"
    assert [chart.name for chart in panel.charts] == [
        "activation_percentiles",
        "gradient_norm",
        "effective_rank",
        "sharpness_times_half_rate",
        "of_a_stranger<b>",
    ]
    assert f"why, recipe/{panel.charts[0].name}" in next(name for name in charts_of(board) if "why" in name)


def test_what_was_left_out_and_what_is_zero_is_said(board: Board) -> None:
    (panel,) = why_summaries(board, styles(board))
    assert "batch: mode_gap left out, there is <i>no</i> gap." in panel.notes
    assert panel.notes[-1] == "Zero throughout, up to the third quartile of the seeds: dead_units."


def test_of_several_layers_the_last_hidden_one_is_drawn_and_the_table_has_all(
    board: Board, diagnoses: tuple[Diagnosis, ...]
) -> None:
    ranks = [curve for curve in diagnoses[0].curves if curve.name == "effective_rank"]
    assert drawn_layer(ranks).layer == "hidden.11", "by number, not by letter"
    gradients = [curve for curve in diagnoses[0].curves if curve.name == "gradient_norm"]
    assert drawn_layer(gradients).layer == "hidden.11", "not the output"
    chart = next(each for each in diagnostic_charts(diagnoses, styles(board)) if each.name == "effective_rank")
    assert "Drawn: hidden.11." in chart.caption
    lines = [trace for trace in chart.figure["data"] if trace.get("fill") != "toself"]
    assert [trace["y"][0] for trace in lines] == [16.0] * len(diagnoses)
    assert [row[1] for row in chart.rows[:12]] == [f"hidden.{index}" for index in range(12)]


def test_gradients_are_drawn_over_the_layers_at_first_and_at_last(
    board: Board, diagnoses: tuple[Diagnosis, ...]
) -> None:
    chart = next(each for each in diagnostic_charts(diagnoses, styles(board)) if each.name == "gradient_norm")
    first, last = chart.figure["data"][:2]
    assert first["x"] == [*(f"hidden.{index}" for index in range(12)), "output"]
    assert first["y"] == [float(1 + index) for index in range(13)]
    assert last["y"] == pytest.approx([1.01 + index for index in range(13)], rel=1e-3)


def test_a_seed_that_is_not_zero_keeps_its_chart(diagnoses: tuple[Diagnosis, ...]) -> None:
    assert always_zero(diagnoses) == ["dead_units"]
    first = diagnoses[0]
    *others, dead = first.curves
    high = dead.high.copy()
    high[-1] = 0.5
    assert always_zero([replace(first, curves=(*others, replace(dead, high=high)))]) == []


class Texts(HTMLParser):
    """The elements of a page, and the text of its `why` section."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.add(tag)


def test_names_and_reasons_from_records_are_text(board: Board) -> None:
    page = to_html(board)
    reader = Texts()
    reader.feed(page)
    assert not reader.elements & {"b", "i"}
    assert "there is &lt;i&gt;no&lt;/i&gt; gap" in page
    data = json.loads(page.split('id="d0-data">')[1].split("</script>")[0])
    assert (
        data["charts"]["d0-of_a_stranger<b>"]["figure"]["layout"]["yaxis"]["title"]["text"] == "of_a_stranger&lt;b&gt;"
    )


def test_a_board_without_diagnostics_has_no_panel(board: Board) -> None:
    assert 'id="why"' in to_html(board)
    assert 'id="why"' not in to_html(replace(board, diagnoses=()))
