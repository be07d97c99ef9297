"""A picture as SVG text: marks by class, so that one sheet of colours serves light and dark, page and file."""

from collections.abc import Iterable
from html import escape

from bnbench.reports.cells import plain
from bnbench.reports.self_contained import asset

MARKS = (
    "M-3.5 0A3.5 3.5 0 1 0 3.5 0A3.5 3.5 0 1 0-3.5 0z",
    "M-3.2-3.2h6.4v6.4h-6.4z",
    "M0-4.6 4.6 0 0 4.6-4.6 0z",
    "M0-4.4 4.2 3.2H-4.2z",
    "M0 4.4 4.2-3.2H-4.2z",
    "M-4-2.2-2.2-4 0-1.8 2.2-4 4-2.2 1.8 0 4 2.2 2.2 4 0 1.8-2.2 4-4 2.2-1.8 0z",
    "M-1.3-4.2h2.6v2.9h2.9v2.6h-2.9v2.9h-2.6v-2.9h-2.9v-2.6h2.9z",
)
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 2 2 2 2", "3 5")


def svg(parts: Iterable[str], *, width: float, height: float, title: str) -> str:
    """Return the parts as one picture; a reader that cannot see it is told the title."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-label="{escape(plain(title))}">\n'
        f'<rect class="paper" width="{width:g}" height="{height:g}"/>\n{body}\n</svg>'
    )


def as_file(picture: str) -> str:
    """Return a picture that brings its own colours, for where there is no page around it."""
    style = asset("bnbench.claims.report", "picture.css")
    colours = asset("bnbench.claims.report", "picture_colours.css")
    head, tag, rest = picture.partition(">\n")
    return f"{head}{tag}<style>\n{colours}{style}</style>\n{rest}\n"


def text(x: float, y: float, said: str, kind: str, *, anchor: str = "start", turned: bool = False) -> str:
    """Return a piece of text; `anchor` is start, middle or end."""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{escape(plain(said))}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def mark(x: float, y: float, kind: str, *, shape: int) -> str:
    """Return a mark at a point."""
    return f'<path class="{kind}" transform="translate({x:.1f} {y:.1f})" d="{MARKS[shape % len(MARKS)]}"/>'
