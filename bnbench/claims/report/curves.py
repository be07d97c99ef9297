"""The figure of a claim: its curves, bands and marks over common axes."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isfinite, nan
from typing import Any

from bnbench.claims.claim import Curve, Figure, Numbers
from bnbench.claims.report.picture import DASHES, line, mark, svg, text
from bnbench.claims.report.scale import Scale, label, scale_of

WIDTH, HEIGHT = 760, 340
LEFT, RIGHT, TOP, BOTTOM = 78, 190, 34, 46
MOST_MARKS = 24
MOST_LETTERS = 26
HUES = 7


def draw(figure: Figure) -> str:
    """Return the figure as SVG."""
    across = scale_of(_all(figure, "x"), start=LEFT, stop=WIDTH - RIGHT, log=figure.log_x)
    up = scale_of(_all(figure, "y", "low", "high"), start=HEIGHT - BOTTOM, stop=TOP, log=figure.log_y)
    hues = iter(range(len(figure.curves)))
    kinds = ["plain" if curve.dashed else f"h{next(hues) % HUES}" for curve in figure.curves]
    parts = [text(LEFT, 18, figure.title, "title"), *_axes(figure, across, up)]
    for index, (curve, kind) in enumerate(zip(figure.curves, kinds, strict=True)):
        parts += _curve(curve, kind, across, up, index=index, points=figure.points)
        parts += _legend(curve, kind, index=index, points=figure.points)
    height = max(HEIGHT, TOP + 20 * len(figure.curves) + 10)
    return svg(parts, width=WIDTH, height=height, title=figure.title)


def _axes(figure: Figure, across: Scale, up: Scale) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for tick in up.ticks():
        yield line(LEFT, up(tick), right, up(tick), "grid")
        yield text(LEFT - 6, up(tick) + 4, label(tick), "tick", anchor="end")
    for tick in across.ticks():
        yield line(across(tick), bottom, across(tick), bottom + 4, "axis")
        yield text(across(tick), bottom + 17, label(tick), "tick", anchor="middle")
    yield line(LEFT, bottom, right, bottom, "axis")
    yield text((LEFT + right) / 2, HEIGHT - 8, figure.x, "tick", anchor="middle")
    yield text(14, (TOP + bottom) / 2, figure.y, "tick", anchor="middle", turned=True)


def _curve(curve: Curve, kind: str, across: Scale, up: Scale, *, index: int, points: bool) -> Iterator[str]:
    xs, ys = _floats(curve.x), _floats(curve.y)
    low, high = (None if ends is None else _floats(ends) for ends in (curve.low, curve.high))
    shown = [_shown(x, across) and _shown(y, up) for x, y in zip(xs, ys, strict=True)]
    places = [(across(x), up(y)) if seen else None for x, y, seen in zip(xs, ys, shown, strict=True)]
    if low is not None and high is not None:
        yield from _intervals(xs, low, high, shown, kind, across, up, points=points)
    if not points:
        yield from _lines(places, kind, dash=DASHES[1] if curve.dashed else DASHES[0])
    drawn = [place for place in places if place is not None]
    stride = 1 if points else max(1, len(drawn) // MOST_MARKS)
    for x, y in drawn[::stride]:
        yield mark(x, y, f"mark {kind}", shape=index)


def _lines(places: Sequence[tuple[float, float] | None], kind: str, *, dash: str) -> Iterator[str]:
    """Yield the pieces of a line, which a missing point interrupts."""
    commands = []
    for before, here in pairwise([None, *places]):
        if here is not None:
            commands.append(f"{'M' if before is None else 'L'}{here[0]:.1f} {here[1]:.1f}")
    if commands:
        pattern = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<path class="curve {kind}"{pattern} d="{"".join(commands)}"/>'


def _intervals(
    xs: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    shown: Sequence[bool],
    kind: str,
    across: Scale,
    up: Scale,
    *,
    points: bool,
) -> Iterator[str]:
    """Yield whiskers at points, a band along a line."""
    ends = [
        (across(x), up(a), up(b)) for x, a, b, seen in zip(xs, low, high, shown, strict=True) if seen and a == a == b
    ]
    if points:
        yield from (line(x, a, x, b, f"whisker {kind}") for x, a, b in ends)
    elif len(ends) > 1:
        there = [f"{x:.1f} {a:.1f}" for x, a, _ in ends]
        back = [f"{x:.1f} {b:.1f}" for x, _, b in reversed(ends)]
        yield f'<path class="band {kind}" d="M{"L".join(there + back)}z"/>'


def _legend(curve: Curve, kind: str, *, index: int, points: bool) -> Iterator[str]:
    x, y = WIDTH - RIGHT + 14, TOP + 8 + 20 * index
    if not points:
        dash = f' stroke-dasharray="{DASHES[1]}"' if curve.dashed else ""
        yield f'<path class="curve {kind}"{dash} d="M{x} {y}h22"/>'
    yield mark(x + 11, y, f"mark {kind}", shape=index)
    name = curve.name if len(curve.name) <= MOST_LETTERS else f"{curve.name[: MOST_LETTERS - 1]}…"
    yield text(x + 28, y + 4, name, "tick")


def _all(figure: Figure, *names: str) -> list[float]:
    return [
        value for curve in figure.curves for name in names for value in _floats(getattr(curve, name)) if isfinite(value)
    ]


def _floats(values: Numbers | None) -> list[float]:
    """Return the values as floats; what a file holds as null is no number."""
    listed: Sequence[Any] = () if values is None else list(values)
    return [nan if value is None else float(value) for value in listed]


def _shown(value: float, scale: Scale) -> bool:
    return isfinite(value) and (value > 0 or not scale.log)
