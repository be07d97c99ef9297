"""The page put together: templates that escape by themselves, one style sheet, scripts that a policy names."""

import base64
import hashlib
import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import plotly
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bnbench.reports.cells import footnotes, plain
from bnbench.reports.charts import in_the_dark, styles
from bnbench.reports.charts.style import SYMBOLS
from bnbench.reports.page.blocks import sections
from bnbench.reports.page.provenance import provenance, skipped_groups
from bnbench.reports.page.summaries import across_summaries, tuned_summaries, why_summaries
from bnbench.scoring.board import Board

SCRIPTS = ("theme.js", "tables.js", "filters.js", "charts.js", "drill_down.js")


def to_html(board: Board) -> str:
    """Return the board as one self-contained HTML page; it loads nothing and runs no script but its own."""
    chosen = styles(board)
    found = sections(board, chosen)
    across = across_summaries(board, chosen)
    tuned = tuned_summaries(board, chosen)
    why = why_summaries(board, chosen)
    blocks = [block for section in found for block in section.blocks]
    has_charts = any(block.charts for block in blocks) or any(part.charts for part in (*across, *tuned, *why))
    library = _library() if has_charts else ""
    script = "\n".join(map(_asset, SCRIPTS))
    template = _environment().get_template("page.html.jinja")
    return template.render(
        sections=found,
        blocks=blocks,
        across=across,
        tuned=tuned,
        why=why,
        reference=plain(board.reference),
        num_entries=len({row.entry for row in board.entries}),
        num_records=len(board.runs),
        num_rows=len(board.entries),
        levels=_distinct(block.level for block in blocks),
        tracks=_distinct(block.track for block in blocks),
        legend=footnotes(_without_notes(board)),
        notes=_general_notes(board),
        provenance=provenance(board),
        skipped=skipped_groups(board),
        num_skipped=len(board.skipped),
        symbols=SYMBOLS,
        dark=in_the_dark(),
        style=Markup(_asset("page.css")),
        # our own two scripts: nothing of a record is in them
        library=Markup(library),
        script=Markup(script),
        policy=_policy(library, script),
    )


def as_json(value: Any) -> Markup:
    r"""Return a value as JSON that may stand in a `<script>`: no text in it can end the element.

    >>> as_json({"name": "</script>"})
    Markup('{"name":"\\u003c/script\\u003e"}')
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("bnbench.reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["as_json"] = as_json
    return made


def _policy(*scripts: str) -> str:
    """Return the Content-Security-Policy: nothing is loaded, and only scripts of these very texts run."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts if text)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    # the chart library writes style attributes, and hands a picture of a chart to whoever asks for one
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return (files("bnbench.reports.page") / "assets" / name).read_text(encoding="utf-8")


def _library() -> str:
    # HTML reads a carriage return as a line feed, and the policy's hash is of what it reads
    script = (files(plotly) / "package_data" / "plotly.min.js").read_text(encoding="utf-8").replace("\r\n", "\n")
    if "</script" in script.lower() or "<!--" in script:
        raise RuntimeError("plotly.min.js cannot stand in a page: it contains </script or <!--")
    return script


def _without_notes(board: Board) -> Board:
    return replace(board, notes=(), across=tuple(replace(across, notes=()) for across in board.across))


def _general_notes(board: Board) -> list[str]:
    """Return the board's notes but for those that stand in the section across workloads."""
    shown = {note for across in board.across for note in across.notes}
    return _distinct(plain(note) for note in board.notes if note not in shown)


def _distinct(texts: Any) -> list[str]:
    return list(dict.fromkeys(texts))
