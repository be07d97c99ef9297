"""The report as one HTML page in the style of the leaderboard's: it loads nothing, and its names are escaped."""

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from bnbench.claims.report.view import View
from bnbench.reports.self_contained import asset, policy, templates

PACKAGE, BOARDS = "bnbench.claims.report", "bnbench.reports.page"


def to_html(views: Sequence[View], *, missing: Sequence[str], counts: str) -> str:
    """Return the report as a self-contained page."""
    script = asset(BOARDS, "theme.js")
    style = "\n".join(
        [
            asset(BOARDS, "page.css"),
            asset(PACKAGE, "picture.css"),
            asset(PACKAGE, "page.css"),
        ]
    )
    return (
        _environment()
        .get_template("claims.html.jinja")
        .render(
            views=views,
            missing=missing,
            counts=counts,
            # our own texts: nothing of a result is in them
            style=Markup(style),
            script=Markup(script),
            policy=policy(script),
        )
    )


@cache
def _environment() -> Environment:
    made = templates(PACKAGE)
    # a picture is made by ourselves, and what it says is escaped where it is drawn
    made.filters["drawn"] = lambda picture: Markup(picture.svg)
    return made
