"""The report as one HTML page in the style of the leaderboard's: it loads nothing, and its names are escaped."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bnbench.claims.report.view import View


def to_html(views: Sequence[View], *, missing: Sequence[str], counts: str) -> str:
    """Return the report as a self-contained page."""
    script = _text("bnbench.reports.page", "assets/theme.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = "\n".join(
        [
            _text("bnbench.reports.page", "assets/page.css"),
            _text("bnbench.claims.report", "assets/picture.css"),
            _text("bnbench.claims.report", "assets/page.css"),
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
            policy=f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; base-uri 'none'; "
            "form-action 'none'",
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("bnbench.claims.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # a picture is made by ourselves, and what it says is escaped where it is drawn
    made.filters["drawn"] = lambda picture: Markup(picture.svg)
    return made


def _text(package: str, name: str) -> str:
    return files(package).joinpath(*name.split("/")).read_text(encoding="utf-8")
