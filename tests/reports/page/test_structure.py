"""The page as text: everything is in it, names from records are data, and nothing in it points outside."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnbench.records import Skipped
from bnbench.reports.charts import styles
from bnbench.reports.page import to_html
from bnbench.reports.page.blocks import sections
from bnbench.reports.page.summaries import across_summaries
from bnbench.scoring.board import Board, Speedup, StepsToTarget

VOID = {"meta", "br", "input", "circle", "path", "use", "hr", "img", "link"}
HOSTILE = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param('"><img src=x onerror=alert(1)>', id="broken-attribute"),
    pytest.param("</script><script>alert(1)</script>", id="end-of-data"),
    pytest.param("<!--<script>", id="comment"),
    pytest.param("{{ 7 * 7 }}{% raw %}", id="template"),
    pytest.param("javascript:alert(1)", id="address"),
    pytest.param("a\x00b\x1b[31m\u202ec\u2028d", id="control-characters"),
    pytest.param("نورم الدفعة", id="right-to-left"),
    pytest.param("x" * 5000, id="very-long"),
]


class Outline(HTMLParser):
    """The elements with their attributes, the text outside of scripts, and the data inside of them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.unbalanced: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag == "script":
            self.scripts.append((attributes, ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            attributes, text = self.scripts.pop()
            self.scripts.append((attributes, text + data))
        elif not self.open or self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self) -> str:
        return " ".join(" ".join(self.text).split())

    def data(self) -> dict[str, Any]:
        return {
            attributes["id"]: json.loads(text)
            for attributes, text in self.scripts
            if attributes.get("type") == "application/json"
        }


@pytest.fixture(scope="module")
def board(board_of: Callable[..., Board]) -> Board:
    return board_of()


@pytest.fixture(scope="module")
def outline(board: Board) -> Outline:
    return Outline(to_html(board))


def named(board: Board, name: str) -> Board:
    """The same board with every name and text from a record replaced by a stranger's."""
    rows = tuple(
        replace(row, entry=name if row.entry == "batch" else row.entry, norm=name, workload=name, verdict=name)
        for row in board.entries
    )
    renamed = {"entry": name}
    return replace(
        board,
        reference=name,
        entries=rows,
        workloads=tuple(replace(each, workload=name, metric=name, provenance=name) for each in board.workloads),
        skipped=(Skipped(Path(name.replace("\x00", "")), name),),
        notes=(name,),
        curves=tuple(replace(each, **renamed) if each.entry == "batch" else each for each in board.curves),
        diagnoses=tuple(
            replace(
                each,
                workload=name,
                entry=name if each.entry == "batch" else each.entry,
                curves=tuple(
                    replace(curve, name=name) if curve.name == "effective_rank" else curve for curve in each.curves
                ),
                left_out=((name, name),),
            )
            for each in board.diagnoses
        ),
        tunability=tuple(
            replace(each, workload=name, entry=name if each.entry == "batch" else each.entry)
            for each in board.tunability
        ),
        across=tuple(
            replace(
                each,
                workloads=(name,) * len(each.workloads),
                notes=(name,),
                entries=tuple(replace(e, **renamed) if e.entry == "batch" else e for e in each.entries),
            )
            for each in board.across
        ),
        runs=tuple(
            replace(run, path=name, command=name, hardware=name, commit=name, cell_id=name, versions=((name, name),))
            for run in board.runs
        ),
    )


def test_the_page_is_well_formed_and_its_ids_are_unique(outline: Outline) -> None:
    assert outline.unbalanced == []
    assert outline.open == []
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointed = [
        target
        for _, attributes in outline.elements
        for name in ("aria-labelledby", "aria-controls", "for")
        for target in attributes.get(name, "").split()
    ]
    assert pointed
    assert set(pointed) <= set(ids)
    anchors = [attributes["href"] for attributes in outline.all("a")]
    assert {anchor.removeprefix("#") for anchor in anchors} <= set(ids)


def test_headings_descend_one_level_at_a_time(outline: Outline) -> None:
    levels = [int(tag[1]) for tag, _ in outline.elements if tag in {"h1", "h2", "h3", "h4", "h5", "h6"}]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_row_verdict_note_and_skipped_path_is_there(board: Board, outline: Outline) -> None:
    bodies = [attributes for attributes in outline.all("tbody") if attributes.get("id", "").startswith("b")]
    assert len(bodies) == len(board.entries) == 28
    said = outline.said()
    for row in board.entries:
        assert row.verdict in said
    for item in board.skipped:
        assert str(item.path) in said
        assert item.reason in said
    for run in board.runs:
        assert run.command in said
        assert run.hardware in said
    assert "torch 2.13.0" in said
    assert "a note of the board" in said
    assert "a note on scores" in said
    opened = [row for name, data in outline.data().items() if name.startswith("b") for row in data["rows"].values()]
    assert len(opened) == 28
    assert all(len(row["seeds"][1]) == 16 and row["runs"] for row in opened)


def test_words_are_explained(outline: Outline) -> None:
    said = outline.said()
    for word in (
        "RMST", "censored", "paired seeds", "Holm", "at least", "hit rate", "ERT", "stalled", "recipe and tuned",
        "anchored score", "performance profile", "width in octaves", "best of k", "rank", "not decided",
    ):  # fmt: skip
        assert word in said


def test_nothing_points_outside_and_nothing_inside_can_run_but_the_pages_own_scripts(outline: Outline) -> None:
    for tag, attributes in outline.elements:
        assert not {"src", "srcset", "action", "formaction", "background", "ping"} & attributes.keys()
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img"}
        assert attributes.get("href", "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    (policy,) = [each["content"] for each in outline.all("meta") if "http-equiv" in each]
    assert "default-src 'none'" in policy
    (scripts,) = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert scripts.count("'sha256-") == 2
    assert "unsafe" not in scripts
    running = [attributes for attributes, _ in outline.scripts if "type" not in attributes]
    assert len(running) == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_records_are_text_and_nothing_else(board: Board, outline: Outline, name: str) -> None:
    """The page has the same elements whatever the names are, but for how many workloads are chosen from."""
    hostile = Outline(to_html(named(board, name)))
    assert hostile.unbalanced == []

    def kinds(outline: Outline) -> set[tuple[str, frozenset[str]]]:
        return {(tag, frozenset(attributes)) for tag, attributes in outline.elements}

    assert kinds(hostile) <= kinds(outline)
    assert len(hostile.scripts) == len(outline.scripts)
    assert hostile.data().keys() == outline.data().keys()
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
    assert " ".join(shown.split()) in hostile.said()


def test_charts_hold_escaped_names_that_are_not_too_long(board: Board) -> None:
    data = Outline(to_html(named(board, f"<b>%{{x}}</b>{'y' * 100}"))).data()
    traces = [
        trace
        for part in data.values()
        for chart in part.get("charts", {}).values()
        for trace in chart["figure"]["data"]
    ]
    names = {trace["name"] for trace in traces}
    assert any(name.startswith("&lt;b&gt;") for name in names)
    assert all("<" not in name and len(name) < 60 for name in names)
    assert all("%{x}</" not in trace.get("hovertemplate", "") for trace in traces)


def test_an_entry_has_one_colour_line_and_marker_in_all_charts_and_tables(outline: Outline) -> None:
    seen: dict[str, set[str]] = {}
    for part in outline.data().values():
        for chart in part.get("charts", {}).values():
            for trace in chart["figure"]["data"]:
                if trace.get("mode", "lines") != "lines" and trace["type"] == "scatter":
                    drawn = f"{trace['marker']['color']} {trace['marker']['symbol'].removesuffix('-open')}"
                    seen.setdefault(trace["name"], set()).add(drawn)
    assert len(seen) == 7
    assert all(len(drawn) == 1 for drawn in seen.values())
    assert len({drawn for each in seen.values() for drawn in each}) == 7


def test_curves_are_thinned_to_what_a_screen_shows(board_of: Callable[..., Board]) -> None:
    many = board_of(num_workloads=1, tracks=("recipe",), num_evaluations=5001)
    (chart,) = [
        chart
        for name, part in Outline(to_html(many)).data().items()
        if name == "b0-data"
        for key, chart in part["charts"].items()
        if key.endswith("learning_curves")
    ]
    lines = [trace for trace in chart["figure"]["data"] if trace["mode"] == "lines+markers"]
    assert {len(trace["x"]) for trace in lines} == {80}
    assert {(trace["x"][0], trace["x"][-1]) for trace in lines} == {(0, 1000)}


def test_a_time_to_target_staircase_keeps_every_rise(board_of: Callable[..., Board]) -> None:
    board = board_of(num_workloads=1, tracks=("recipe",), entries=("batch",), num_evaluations=501)
    (curve,) = board.curves
    figure = Outline(to_html(board)).data()["b0-data"]["charts"]["b0-time_to_target"]["figure"]
    (trace,) = figure["data"]
    drawn = np.interp(curve.steps, trace["x"], trace["y"])
    at_corners = np.isin(curve.steps, trace["x"])
    np.testing.assert_allclose(drawn[at_corners], 100 * curve.hit_share[at_corners], rtol=1e-3)
    assert set(trace["y"]) == {float(f"{100 * share:.4g}") for share in curve.hit_share}
    assert trace["line"]["shape"] == "hv"


@pytest.mark.parametrize(
    ("metric", "direction", "first", "scaled"),
    [
        ("rmse", "min", 1000.0, {"type": "log"}),
        ("rmse", "min", 1.0, {}),
        ("r2", "max", -1e5, {"range"}),
        ("accuracy", "max", 0.1, {}),
    ],
)
def test_an_untrained_network_does_not_hide_the_end_of_its_curve(
    board_of: Callable[..., Board], metric: str, direction: str, first: float, scaled: object
) -> None:
    board = board_of(num_workloads=1, tracks=("recipe",))
    curves = tuple(
        replace(each, **{name: np.append(first, getattr(each, name)[1:]) for name in ("median", "low", "high")})
        for each in board.curves
    )
    workloads = tuple(replace(each, metric=metric, direction=direction) for each in board.workloads)
    data = Outline(to_html(replace(board, curves=curves, workloads=workloads))).data()
    axis = data["b0-data"]["charts"]["b0-learning_curves"]["figure"]["layout"]["yaxis"]
    assert {key for key in ("type", "range") if key in axis} == set(scaled)
    if "range" in axis:
        assert axis["range"][0] > -2
        assert axis["range"][1] >= max(curve.high.max() for curve in curves)


def test_tracks_of_one_workload_stand_under_one_heading(board_of: Callable[..., Board]) -> None:
    board = board_of(num_workloads=1, levels=("easy", "hard"))
    page = Outline(to_html(board))
    assert len([each for each in page.all("section") if each.get("class") == "workload"]) == 1
    assert len([each for each in page.all("article") if each["id"].startswith("b")]) == 4
    assert "7 entries on 1 workload, from 28 records." in page.said()


def test_a_note_on_scores_across_workloads_stands_there_and_only_there(board: Board) -> None:
    twice = replace(board, notes=("a note on scores", "of the board", "of the board"))
    said = Outline(to_html(twice)).said()
    assert said.count("a note on scores") == 1
    assert said.count("of the board") == 1


def test_bounds_are_drawn_as_arrows_and_what_bounds_nothing_hollow(board: Board) -> None:
    text = to_html(board)
    assert text.count('class="arrow"') > 0
    assert text.count('class="hollow"') > 0
    exact = replace(board, across=(), entries=tuple(
        replace(row, speedup=replace(row.speedup, bound="exact")) for row in board.entries
    ))  # fmt: skip
    text = to_html(exact)
    assert 'class="arrow"' not in text
    assert 'class="hollow"' not in text


def test_what_is_not_known_leaves_a_dash_and_nothing_breaks(board: Board) -> None:
    unknown = tuple(
        replace(
            row,
            hit_rate=None,
            steps_to_target=StepsToTarget(None, None, None, None),
            speedup=Speedup(None, None, None, "undefined", 0, None, None, None),
            final=replace(row.final, mean=None, low=None, high=None),
            cost=None,
            tuning=None,
        )
        for row in board.entries
    )
    curves = tuple(
        replace(each, hit_share=None, median=each.median * np.nan, low=each.low * np.nan, high=each.high * np.nan)
        for each in board.curves
    )
    workloads = tuple(replace(each, target=None) for each in board.workloads)
    page = Outline(to_html(replace(board, entries=unknown, curves=curves, workloads=workloads)))
    assert "There is no hard target, so nothing is ranked by speed." in page.said()
    assert "not compared" in page.said()


def test_an_empty_board_says_so_and_carries_no_chart_library() -> None:
    text = to_html(Board("none", skipped=(Skipped(Path("runs/x"), "unfinished"),)))
    assert "No entry to rank." in text
    assert "runs/x" in text
    assert len(text) < 60_000


def test_boards_without_curves_records_or_summaries_have_tables_all_the_same(board: Board) -> None:
    bare = replace(board, curves=(), runs=(), across=(), tunability=())
    page = Outline(to_html(bare))
    assert len([each for each in page.all("tbody") if "id" in each]) == 28
    assert "No record tells how it was made." in page.said()


def test_the_headline_follows_the_test_not_the_rank(board_of: Callable[..., Board]) -> None:
    board = board_of(num_workloads=1, tracks=("recipe",))
    undecided = replace(
        board, entries=tuple(
            row if row.is_reference else replace(row, rank=1, speedup=replace(row.speedup, p_holm=0.06))
            for row in board.entries
        )
    )  # fmt: skip
    assert "No entry is shown to be faster than none." in Outline(to_html(undecided)).said()
    level = replace(board, entries=tuple(
        replace(row, rank=1) if row.entry in {"batch", "rms", "layer"} else row for row in board.entries
    ))  # fmt: skip
    assert "Not told apart from it: rms and layer." in Outline(to_html(level)).said()
    alone = replace(board, entries=tuple(row for row in board.entries if not row.is_reference))
    assert "The reference none was not run here" in Outline(to_html(alone)).said()


def test_the_headline_does_not_call_level_with_the_reference_what_is_really_faster(
    board_of: Callable[..., Board],
) -> None:
    board = board_of(num_workloads=1, tracks=("recipe",))
    level = replace(board, entries=tuple(replace(row, rank=1) for row in board.entries))
    said = Outline(to_html(level)).said()
    assert "Not told apart from it: " in said
    assert not re.search(r"Not told apart from it: [^.]*none", said)


def test_the_closest_entry_is_one_that_was_seen_to_be_faster(board_of: Callable[..., Board]) -> None:
    board = board_of(num_workloads=1, tracks=("recipe",))

    def with_estimates(estimates: dict[str, float], *, p: float) -> str:
        rows = tuple(
            row
            if row.is_reference
            else replace(row, speedup=replace(row.speedup, p_holm=p, estimate=estimates.get(row.entry, 0.9)))
            for row in board.entries
        )
        return Outline(to_html(replace(board, entries=rows))).said()

    assert "Closest: rms: " in with_estimates({"rms": 1.3, "layer": 1.2}, p=0.06)
    slower = with_estimates({}, p=0.06)
    assert "No entry is shown to be faster than none." in slower
    assert "Closest" not in slower
    assert "Shown to be slower: " in with_estimates({}, p=0.01)


def test_where_nobody_reaches_the_target_the_headline_says_only_that(board_of: Callable[..., Board]) -> None:
    board = board_of(num_workloads=1, tracks=("recipe",))
    missed = tuple(
        replace(row, hit_rate=0.0, speedup=replace(row.speedup, p_holm=None, estimate=None)) for row in board.entries
    )
    said = Outline(to_html(replace(board, entries=missed))).said()
    assert re.search(r"No entry reaches the target within [\d,]+ steps\.", said)


def test_who_was_not_run_everywhere_has_no_rank_across_workloads_and_is_named_by_the_charts(board: Board) -> None:
    across = board.across[0]
    partial = replace(across.entries[-1], num_workloads=len(across.workloads) - 1, rank=7)
    shown = replace(board, across=(replace(across, entries=(*across.entries[:-1], partial)),))
    (summary,) = across_summaries(shown, styles(shown))
    *ranked, last = [row.cells[1].text for row in summary.tables[0].rows]
    assert last == "–"
    assert all(text.isdecimal() for text in ranked)
    told = f"Over fewer workloads, so not comparable: {partial.entry} ({partial.num_workloads})."
    assert [told in chart.caption for chart in summary.charts] == [True, False, True]


def test_speed_ups_on_each_workload_show_whether_they_are_bounds(board: Board) -> None:
    across = board.across[0]
    entry = next(each for each in across.entries if not each.is_reference)
    bounded = tuple(
        replace(row, speedup=replace(row.speedup, bound="at_least")) if row.entry == entry.entry else row
        for row in board.entries
    )
    shown = replace(board, entries=bounded)
    rows = {row.entry: row for row in across_summaries(shown, styles(shown))[0].tables[1].rows}
    assert all(cell.small.startswith("≥ ") or not cell.small for cell in rows[entry.entry].cells)
    assert any(cell.small for cell in rows[entry.entry].cells)
    assert {cell.small for cell in rows[board.reference].cells if cell.small} == {"1×"}


def test_many_or_long_names_make_charts_higher_and_say_how_to_draw_them(board_of: Callable[..., Board]) -> None:
    few = board_of(num_workloads=1, entries=("batch", "none"), tracks=("recipe",))
    long = [f"norm_{index}(momentum=0.1,eps=1e-05,affine=true)" for index in range(29)]
    many = board_of(num_workloads=1, entries=(*long, "none"), tracks=("recipe",))
    heights = []
    for board in (few, many):
        charts = sections(board, styles(board))[0].blocks[0].charts
        heights.append([chart.figure["layout"]["height"] for chart in charts])
        assert all(("a press on a name" in chart.caption) == (board is many) for chart in charts)
    assert heights == [[360, 360], [560, 560]]


def test_the_same_board_gives_the_same_page(board: Board) -> None:
    assert to_html(board) == to_html(board)


def test_only_a_page_loads_its_templates_and_the_chart_library() -> None:
    program = "import sys, bnbench.leaderboard; print(*(sys.modules.keys() & {'jinja2', 'plotly'}))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
