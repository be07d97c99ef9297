"""The pictures of the report: points lie where their values say, and what is no number is not drawn."""

import re
from math import inf, nan
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnbench.claims.claim import Curve, Figure, Part, Region
from bnbench.claims.report import curves, intervals
from bnbench.claims.report.picture import as_file
from bnbench.claims.report.scale import Scale, scale_of
from bnbench.claims.verdict import Finding, Verdict
from bnbench.reports.cells import plain

SVG = "{http://www.w3.org/2000/svg}"
numbers = st.floats(-1e9, 1e9, allow_nan=False)


def paths(svg: str, kind: str) -> list[ElementTree.Element]:
    """Return the paths of a kind; raises for what is no XML."""
    return [each for each in ElementTree.fromstring(svg).iter(f"{SVG}path") if kind in each.get("class", "").split()]


def finding(low: float, high: float, verdict: Verdict = Verdict.HOLDS, *, name: str = "part") -> Finding:
    part = Part(name, statement="", holds=Region(low=1.0))
    return Finding(part, (low + high) / 2 if low > -inf and high < inf else None, low, high, verdict, 8, ())


@given(st.lists(numbers, min_size=1, max_size=20))
def test_a_scale_keeps_every_value_inside_and_in_order(values: list[float]) -> None:
    scale = scale_of(values, start=0.0, stop=100.0, log=False)
    places = [scale(value) for value in sorted(values)]
    assert all(0 <= place <= 100 for place in places)
    assert places == sorted(places)
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks())


@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=20))
def test_a_logarithmic_scale_labels_values_inside(values: list[float]) -> None:
    scale = scale_of(values, start=0.0, stop=100.0, log=True)
    assert all(scale.low * 0.999 <= tick <= scale.high * 1.001 for tick in scale.ticks())
    assert scale.ticks()


def test_a_logarithmic_scale_holds_the_largest_float() -> None:
    scale = scale_of([1e-3, 1.7e308], start=0.0, stop=100.0, log=True)
    assert scale(1e-3) < scale(1e308) <= 100


def test_equal_ratios_are_equal_distances_on_a_logarithmic_scale() -> None:
    scale = Scale(1.0, 100.0, 0.0, 200.0, log=True)
    assert [scale(value) for value in (1.0, 10.0, 100.0, 1000.0)] == pytest.approx([0.0, 100.0, 200.0, 200.0])


def test_a_line_is_interrupted_where_a_value_is_missing() -> None:
    gap = Curve("a", [0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 2.0, nan, 3.0, 4.0])
    [line] = [
        each for each in paths(curves.draw(Figure("t", "x", "y", (gap,))), "curve") if "h22" not in each.get("d", "")
    ]
    assert re.sub(r"[\d. ]", "", line.get("d", "")) == "MLML"


def test_what_has_no_logarithm_is_left_out_of_a_logarithmic_figure() -> None:
    svg = curves.draw(Figure("t", "x", "y", (Curve("a", [1, 2, 3], [0.0, 10.0, 100.0]),), log_y=True, points=True))
    assert len(paths(svg, "mark")) == 2 + 1  # and one in the legend


def test_a_file_s_nulls_are_no_numbers() -> None:
    svg = curves.draw(Figure("t", "x", "y", (Curve("a", [1, 2, 3], [None, 2.0, 3.0]),), points=True))  # type: ignore[list-item]
    assert len(paths(svg, "mark")) == 2 + 1


def test_names_are_escaped_and_a_picture_alone_brings_its_colours() -> None:
    svg = curves.draw(Figure("<b>", 'x"', "y&", (Curve("</svg><script>\x1b", [1, 2], [1, 2]),)))
    texts = [each.text for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert {"<b>", 'x"', "y&", plain("</svg><script>\x1b")} <= set(texts)
    assert "--hue0" in as_file(svg)
    ElementTree.fromstring(as_file(svg))


def test_intervals_start_and_end_where_they_say_and_open_ends_reach_the_edge() -> None:
    svg = intervals.draw([finding(1.0, 3.0), finding(2.0, inf)])
    whiskers = [each.get("d", "") for each in paths(svg, "whisker")]
    closed, first_end, second_end, opened, only_end = whiskers
    assert len({first_end, second_end, only_end}) == 3
    x = [float(value) for value in re.findall(r"[ML]([\d.]+)", closed)]
    assert x == sorted(x)
    assert float(re.findall(r"L([\d.]+)", opened)[0]) == pytest.approx(intervals.WIDTH - intervals.RIGHT)


def test_parts_of_different_units_have_pictures_of_their_own() -> None:
    percent = Part("share", statement="", holds=Region(low=1.0), unit="%")
    other = Finding(percent, 50.0, 40.0, 60.0, Verdict.HOLDS, 8, ())
    assert len(intervals.draw_all([finding(1.0, 2.0), other, finding(1.5, 2.5)])) == 2
