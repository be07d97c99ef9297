"""The report as Markdown: docs/claims.md."""

from collections.abc import Iterable, Sequence

from bnbench.claims.report.view import View
from bnbench.reports.markdown import escape

INTRODUCTION = """\
# Published claims, measured again

What papers say normalization does, measured here on multilayer perceptrons and judged by intervals over paired seeds.
This page is made by `python -m bnbench.claims report` from the results of `python -m bnbench.claims run`; nothing in it
is written by hand.

A part of a claim **holds** where its whole 95 % interval lies in the region that the claim speaks of, is **partial**
where it lies in the right direction and wholly outside that region, **fails** where it lies wholly outside both, and is
**inconclusive** otherwise. A claim of several parts holds if all of them do; it fails if none holds even in part and at
least half fail; it is inconclusive if more than half are; else it is partial. Intervals are not widened for the number
of parts. Where a claim says that every seed must comply, the smallest and the largest value of all seeds take the place
of the interval. The setting says how much was measured: *quick* is fewer seeds and shorter training than *full*, and
smaller networks in some. What was published for other networks is not refuted by ours: there "fails" reads *not seen in
MLPs*. Every claim has a negative control, a false version of it, made from the same measurements or planted in their
place; where the same rules do not reject the control, the claim is inconclusive whatever its own numbers say. A control
tells whether the rules can say no; that the measurement is right is for the tests.
"""


def to_markdown(views: Sequence[View], *, missing: Sequence[str], counts: str, pictures: str) -> str:
    """Return the report; `pictures` is the folder of the pictures beside it, `missing` the claims without a result."""
    lines = [INTRODUCTION, f"{len(views)} claims: {counts}.", ""]
    if missing:
        lines += [f"Not measured yet: {', '.join(map(escape, missing))}.", ""]
    lines += ["| claim | verdict | measured | setting | statement |", "| :-- | :-- | :-- | :-- | :-- |"]
    lines += [
        _line(
            (
                f"[{escape(view.claim_id)}](#{anchor(view.claim_id)})",
                *map(escape, (view.verdict, view.measured, view.setting, view.title)),
            )
        )
        for view in views
    ]
    for view in views:
        lines += ["", *section(view, pictures=pictures)]
    return "\n".join(lines) + "\n"


def section(view: View, *, pictures: str) -> list[str]:
    """Return the lines of one claim."""
    lines = [f"## {escape(view.claim_id)}", "", f"{escape(view.title)}.", "", f"**{escape(view.sentence)}**", ""]
    if view.warning:
        lines += [f"*{escape(view.warning)}*", ""]
    lines += [f"- {escape(name)}: {escape(told)}" for name, told in view.facts]
    lines += [f"- Cost: {escape(view.cost)}", "", f"```console\n{view.command}\n```", ""]
    for picture in view.pictures:
        lines += [f"![{escape(picture.shows)}]({pictures}/{view.claim_id}-{picture.name}.svg)", ""]
    if view.rows:
        lines += [_line(view.columns), _line(":--" for _ in view.columns)]
        lines += [_line(map(escape, row)) for row in view.rows]
        lines += [""]
    lines += [f"{escape(remark)}\n" for remark in view.remarks]
    return lines


def anchor(heading: str) -> str:
    """Return the address of a heading as GitHub makes it.

    >>> anchor("A3_bn_grad_explosion")
    'a3_bn_grad_explosion'
    """
    return heading.lower()


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
