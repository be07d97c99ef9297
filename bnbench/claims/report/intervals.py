"""The parts of a claim as one picture: every interval beside the region in which it would hold."""

from collections.abc import Iterator, Sequence
from math import isfinite

from bnbench.claims.report.picture import line, mark, svg, text
from bnbench.claims.report.scale import Scale, label, scale_of
from bnbench.claims.verdict import Finding, Verdict

WIDTH = 760
LEFT, RIGHT, TOP, BOTTOM = 270, 20, 30, 44
ROW = 20
SPREAD_OF_LOGARITHMS = 50
SHAPES = {Verdict.HOLDS: 0, Verdict.PARTIAL: 2, Verdict.FAILS: 5, Verdict.INCONCLUSIVE: 1}
MOST_LETTERS = 42


def draw_all(findings: Sequence[Finding]) -> list[str]:
    """Return a picture for every unit that the parts are told in."""
    units = dict.fromkeys((found.part.unit, found.part.judged) for found in findings)
    return [draw([found for found in findings if (found.part.unit, found.part.judged) == unit]) for unit in units]


def draw(findings: Sequence[Finding]) -> str:
    """Return parts of one unit as SVG, one row each."""
    bottom = TOP + ROW * len(findings)
    scale = _scale(findings)
    title = "Intervals of the parts; shaded: where a part holds"
    parts = [text(LEFT, 18, title, "title")]
    for tick in scale.ticks():
        parts.append(line(scale(tick), TOP, scale(tick), bottom, "grid"))
        parts.append(text(scale(tick), bottom + 16, label(tick), "tick", anchor="middle"))
    parts.append(line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis"))
    unit = findings[0].part.unit
    if unit:
        parts.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 34, unit, "tick", anchor="middle"))
    for index, found in enumerate(findings):
        parts += _row(found, scale, TOP + ROW * index)
    return svg(parts, width=WIDTH, height=bottom + BOTTOM, title=title)


def _row(found: Finding, scale: Scale, top: float) -> Iterator[str]:
    middle, kind = top + ROW / 2, found.verdict.value
    name = found.part.name.replace("_", " ")
    name = name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
    yield text(LEFT - 10, middle + 4, name, "tick", anchor="end")
    start, stop = (scale(end) for end in (found.part.holds.low, found.part.holds.high))
    size = f'width="{max(stop - start, 1):.1f}" height="{ROW - 2}"'
    yield f'<rect class="region" x="{start:.1f}" y="{top + 1:.1f}" {size}/>'
    yield line(scale(found.low), middle, scale(found.high), middle, f"whisker {kind}")
    for end in (found.low, found.high):
        if scale.holds(end):
            yield line(scale(end), middle - 4, scale(end), middle + 4, f"whisker {kind}")
    if found.estimate is not None and isfinite(found.estimate):
        yield mark(scale(found.estimate), middle, f"mark {kind}", shape=SHAPES[found.verdict])


def _scale(findings: Sequence[Finding]) -> Scale:
    measured = [end for found in findings for end in (found.low, found.high, found.estimate) if end is not None]
    edges = [end for found in findings for end in (found.part.holds.low, found.part.holds.high)]
    shown = [value for value in (*measured, *edges) if isfinite(value)]
    positive = bool(shown) and min(shown) > 0
    log = positive and (findings[0].part.judged == "geometric mean" or max(shown) > SPREAD_OF_LOGARITHMS * min(shown))
    return scale_of(shown, start=LEFT, stop=WIDTH - RIGHT, log=log)
