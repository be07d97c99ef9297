"""The page put together: templates that escape by themselves, one style sheet, scripts that a policy names."""

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import plotly
from jinja2 import Environment
from markupsafe import Markup

from bnbench.reports.cells import footnotes, plain
from bnbench.reports.charts import in_the_dark, styles
from bnbench.reports.charts.style import SYMBOLS
from bnbench.reports.page.blocks import sections
from bnbench.reports.page.provenance import provenance, skipped_groups
from bnbench.reports.page.summaries import across_summaries, tuned_summaries, why_summaries
from bnbench.reports.self_contained import asset, policy, templates
from bnbench.scoring.board import Board

PACKAGE = "bnbench.reports.page"
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
    script = "\n".join(asset(PACKAGE, name) for name in SCRIPTS)
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
        style=Markup(asset(PACKAGE, "page.css")),
        # our own two scripts: nothing of a record is in them
        library=Markup(library),
        script=Markup(script),
        # the chart library writes style attributes, and hands a picture of a chart to whoever asks for one
        policy=policy(library, script, images="data: blob:"),
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
    made = templates(PACKAGE)
    made.filters["as_json"] = as_json
    return made


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
