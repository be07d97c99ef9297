"""The page in Chromium, opened from disk without a network: it loads nothing, and everything on it works."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bnbench.scoring.board import Board

pytestmark = pytest.mark.slow

Visits = Callable[..., Any]
"""`visit` of conftest.py: opens a board's page."""

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><script>alert(2)</script>")


@pytest.fixture(scope="module")
def board(board_of: Callable[..., Board]) -> Board:
    return board_of()


def entries(page: Page, block: str = "#b0") -> list[str]:
    """The entries of a table in the order in which they are shown."""
    return [
        each.inner_text().strip()
        for each in page.locator(f"{block} tbody.entry:visible > .figures > th bdi").all()
    ]  # fmt: skip


def open_all(page: Page) -> None:
    """Open every entry and every table of a chart."""
    page.evaluate("for (const button of document.querySelectorAll('button.open')) button.click()")
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")


def scroll_through(page: Page) -> None:
    """Scroll from the top to the end, so that what is drawn when seen is drawn."""
    step = 500
    while True:
        end = page.evaluate(
            f"(scrollBy(0, {step}), scrollY + innerHeight >= document.documentElement.scrollHeight - 1)"
        )
        page.wait_for_timeout(60)
        if end:
            return


def test_it_loads_nothing_and_complains_of_nothing_while_everything_is_seen(board: Board, visit: Visits) -> None:
    visited = visit(board)
    page = visited.page
    scroll_through(page)
    open_all(page)
    page.click("#theme")
    page.wait_for_timeout(300)
    visited.assert_quiet()


def test_every_chart_is_drawn_when_it_is_scrolled_to_and_not_before(board: Board, visit: Visits) -> None:
    page = visit(board).page
    charts = page.locator(".chart")
    assert charts.count() == 4 * 2 + 3 + 2 * 2 + 5
    page.wait_for_timeout(300)
    assert page.locator(".chart svg.main-svg").count() < 3 * charts.count()
    scroll_through(page)
    expect(page.locator(".chart:has(svg.main-svg)")).to_have_count(charts.count())
    for chart in charts.all():
        assert chart.locator(".trace, .point, .points path").count() > 0, chart.get_attribute("data-chart")
        assert chart.locator(".plot").get_attribute("role") == "img"
        assert len(chart.locator(".plot").get_attribute("aria-label") or "") > 40


def test_a_chart_shows_all_its_entries_by_name(board: Board, visit: Visits) -> None:
    page = visit(board).page
    chart = page.locator("[data-chart=b0-learning_curves]")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".legendtext")).to_have_count(7)
    assert set(chart.locator(".legendtext").all_text_contents()) == {row.entry for row in board.entries}
    assert chart.locator(".scatterlayer .trace").count() == 14  # a line and a band each


@pytest.mark.parametrize(
    ("head", "ascending"),
    [
        ("entry", sorted),
        ("steps to target", list),
        ("speed-up", lambda shown: ["spectral", "none", "weight", "layer", "group(num_groups=8)", "rms", "batch"]),
    ],
)
def test_a_click_on_a_head_sorts_and_a_second_one_turns_it_round(
    board: Board, visit: Visits, head: str, ascending: Callable[[list[str]], list[str]]
) -> None:
    page = visit(board).page
    before = entries(page)
    button = page.locator("#b0 thead button.sort", has_text=head).first
    button.click()
    assert entries(page) == ascending(before)
    assert page.locator("#b0 thead th[aria-sort=ascending]").inner_text().startswith(head)
    button.click()
    assert entries(page) == ascending(before)[::-1]
    expect(page.locator("#b0 thead th[aria-sort=descending]")).to_have_count(1)
    assert entries(page, "#b1") == before, "other tables stay as they are"


def test_what_is_not_known_is_sorted_last_both_ways(board: Board, visit: Visits) -> None:
    page = visit(board).page
    button = page.locator("#b0 thead button.sort", has_text="step cost")
    for _ in range(2):
        button.click()
        assert entries(page)[-1] == "layer"


def test_the_keyboard_reaches_the_heads_and_enter_sorts(board: Board, visit: Visits) -> None:
    page = visit(board).page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#b0 thead')?.tagName") == "THEAD":
            break
    focused = page.evaluate("document.activeElement.textContent")
    assert focused.startswith("rank")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert entries(page)[0] == "spectral"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('open')"):
            break
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"


def test_filters_hide_what_does_not_fit_and_say_how_much_is_left(board: Board, visit: Visits) -> None:
    page = visit(board).page
    count = page.locator("#filter-count")
    expect(count).to_have_text("28 of 28 rows shown")
    page.select_option("#filter-track", "tuned")
    expect(count).to_have_text("14 of 28 rows shown")
    assert page.locator("#boards .block:visible").count() == 2
    assert not page.locator("#a0").is_visible(), "a summary of another track goes too"
    page.select_option("#filter-workload", "breast_cancer")
    expect(count).to_have_text("7 of 28 rows shown")
    assert page.locator("#tuned .block:visible").count() == 1
    page.fill("#filter-entry", "GROUP(")
    expect(count).to_have_text("1 of 28 rows shown")
    assert page.locator("#boards tbody.entry:visible").count() == 1
    page.fill("#filter-entry", "nothing of that name")
    expect(count).to_have_text("0 of 28 rows shown")
    page.click("#filter-reset")
    expect(count).to_have_text("28 of 28 rows shown")
    assert page.locator("#a0").is_visible()


def test_levels_can_be_filtered(board_of: Callable[..., Board], visit: Visits) -> None:
    page = visit(board_of(num_workloads=1, levels=("easy", "medium", "hard"), tracks=("recipe",))).page
    page.select_option("#filter-level", "medium")
    expect(page.locator("#filter-count")).to_have_text("7 of 21 rows shown")


def test_an_entry_opens_on_everything_that_is_known_of_it(board: Board, visit: Visits) -> None:
    page = visit(board).page
    button = page.get_by_role("button", name=re.compile(r"^rms\s+details$")).first
    more = page.locator("#b0r1-more")
    assert not more.is_visible()
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    said = more.inner_text()
    expected = (
        "restricted mean (RMST)", "expected running time (ERT)", "test, at the best validation step", "stalled",
        "p after Holm", "peak memory", "4 MiB", "python -m bnbench.train norm=rms", "cell 0123456789ab",
    )  # fmt: skip
    for words in expected:
        assert words in said
    seeds = more.get_by_role("region", name="Seeds of rms")
    assert seeds.locator("tbody tr").count() == 16
    assert "not within" in seeds.inner_text()
    button.click()
    assert not more.is_visible()
    button.click()
    assert more.locator(".groups").count() == 1, "it is made once"


def test_a_chart_is_a_table_too(board: Board, visit: Visits) -> None:
    page = visit(board).page
    chart = page.locator("[data-chart=b0-time_to_target]")
    chart.locator("summary").click()
    table = chart.locator(".plain-table")
    expect(table.locator("tbody tr")).to_have_count(7)
    assert table.locator("tbody tr").first.inner_text().startswith("batch\t0 of 16")


def test_names_from_strangers_are_shown_and_never_run(board_of: Callable[..., Board], visit: Visits) -> None:
    board = board_of(entries=(*HOSTILE, "none"), num_workloads=2)
    board = replace(board, notes=HOSTILE, reference=HOSTILE[0])
    visited = visit(board)
    page = visited.page
    assert tuple(entries(page)) == (*HOSTILE, "none")
    scroll_through(page)
    open_all(page)
    legend = page.locator("[data-chart=b0-learning_curves] .legendtext")
    assert {text for text in legend.all_text_contents() if text != "none"} == set(HOSTILE)
    page.hover("[data-chart=b0-learning_curves] .nsewdrag", force=True)
    page.wait_for_timeout(200)
    assert page.locator("img").count() == 0
    assert page.locator("script:not([type])").count() == 2
    visited.assert_quiet()


@pytest.mark.parametrize("width", [360, 390, 850, 1280])
def test_the_page_never_scrolls_sideways(board_of: Callable[..., Board], visit: Visits, width: int) -> None:
    long = "group(" + ", ".join(f"option_{index}=1" for index in range(30)) + ")" + "x" * 200
    board = board_of(entries=("batch", long, "none"))
    page = visit(board, width=width, touch=width < 500).page
    open_all(page)
    scroll_through(page)
    assert page.evaluate(SIDEWAYS) <= 0


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_follow_the_system_and_the_button(board: Board, visit: Visits, dark: bool) -> None:
    page = visit(board, dark=dark).page
    chart = page.locator("[data-chart=b0-learning_curves]")
    chart.scroll_into_view_if_needed()
    line = chart.locator(".js-line").first
    paper = "getComputedStyle(document.body).backgroundColor"
    colors = {False: ("rgb(255, 255, 255)", "rgb(0, 114, 178)"), True: ("rgb(20, 24, 31)", "rgb(86, 168, 232)")}
    for shown in (dark, not dark, dark):
        assert page.evaluate(paper) == colors[shown][0]
        expect(line).to_have_css("stroke", colors[shown][1])
        page.click("#theme")


def test_paper_is_white_without_controls_and_with_every_chart(board: Board, visit: Visits, tmp_path: Path) -> None:
    visited = visit(board, dark=True)
    page = visited.page
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible()
    assert not page.locator("nav").is_visible()
    assert not page.locator("#theme").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # the window is still as wide as the screen
    expect(page.locator(".chart:has(svg.main-svg)")).to_have_count(page.locator(".chart").count())
    widths = page.evaluate("[...document.querySelectorAll('svg.main-svg')].map((each) => each.clientWidth)")
    page.set_viewport_size({"width": 703, "height": 1000})  # what is left of A4 between the margins
    assert page.evaluate(SIDEWAYS) <= 0
    room = page.evaluate("Math.min(...[...document.querySelectorAll('.plot')].map((each) => each.clientWidth))")
    assert 250 < min(widths) <= max(widths) <= room
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    printed = page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert printed.startswith(b"%PDF")
    visited.assert_quiet()


def test_screen_readers_meet_landmarks_named_tables_and_named_regions(board: Board, visit: Visits) -> None:
    page = visit(board).page
    for role in ("banner", "navigation", "main", "contentinfo", "search"):
        assert page.get_by_role(role).count() == 1, role
    table = page.get_by_role("table", name="digits · lr=0.1, hard target, recipe track")
    assert table.count() == 1
    assert table.get_by_role("columnheader").count() == 9
    assert table.get_by_role("rowheader").count() == 7
    assert page.get_by_role("table", name="Anchored scores over 2 workloads").count() == 1
    for name in ("At a glance", "Boards", "Across workloads", "Glossary", "Not counted"):
        assert page.get_by_role("region", name=name, exact=True).count() == 1, name
    for name in ("Workload", "Target", "Track", "Entry"):
        assert page.get_by_label(name, exact=True).count() == 1
    tree = page.locator("body").aria_snapshot()
    assert "- heading \"digits · lr=0.1\" [level=3]" in tree  # fmt: skip


def test_cards_on_a_phone_are_still_tables_to_a_screen_reader(board: Board, visit: Visits) -> None:
    page = visit(board, width=360, touch=True).page
    table = page.get_by_role("table", name="digits · lr=0.1, hard target, recipe track")
    assert table.get_by_role("row").count() == 1 + 2 * 7
    assert table.get_by_role("rowheader").count() == 7
    table.get_by_role("button", name="entry").click()
    assert entries(page) == sorted(entries(page))
    button = page.locator("#b0 button.sort").first.bounding_box()
    assert button is not None
    assert button["height"] >= 20


def test_thousands_of_rows_open_sort_and_filter(board_of: Callable[..., Board], visit: Visits) -> None:
    names = [f"norm_{index}" for index in range(49)]
    board = board_of(num_workloads=100, entries=(*names, "none"), tracks=("recipe",), num_seeds=2, num_evaluations=201)
    visited = visit(board)
    page = visited.page
    expect(page.locator("#filter-count")).to_have_text("5,000 of 5,000 rows shown")
    page.fill("#filter-entry", "norm_48")
    expect(page.locator("#filter-count")).to_have_text("100 of 5,000 rows shown")
    page.click("#filter-reset")
    page.locator("#b99").scroll_into_view_if_needed()
    page.locator("#b99 button.sort", has_text="steps to target").click()
    page.locator("#b99 button.open").last.click()
    chart = page.locator("[data-chart=b99-learning_curves]")
    for _ in range(20):  # blocks above, laid out late, may push it out of sight again
        chart.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        if chart.locator("svg.main-svg").count():
            break
    assert chart.locator(".scatterlayer .trace").count() == 16, "eight entries with their bands; the others on request"
    visited.assert_quiet()
