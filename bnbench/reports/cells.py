"""The first view of a board as text: one short cell per column, shared by the terminal and Markdown."""

from dataclasses import dataclass

from bnbench.metric_facts import facts_of
from bnbench.scoring.board import Board, Row, Workload
from bnbench.scoring.intervals import CONFIDENCE

COLUMNS = ("rank", "entry", "seeds", "hit rate", "steps to target", "speed-up", "final", "diverged", "verdict")
NOTHING = "–"
BOUND_SIGNS = {"exact": "", "at_least": "≥ ", "at_most": "≤ ", "undefined": "~ "}


@dataclass(frozen=True)
class Block:
    """One table: the rows of a workload, target level and track, each as one text per column."""

    title: str
    subtitle: str
    rows: tuple[dict[str, str], ...]


def blocks(board: Board) -> list[Block]:
    """Return the board's tables in order."""
    return [
        Block(
            title=plain(workload.workload if track == "recipe" else f"{workload.workload} · {track}"),
            subtitle=plain(subtitle(workload)),
            rows=tuple(cells(row, workload) for row in rows),
        )
        for workload in board.workloads
        for track, rows in board.rows_of(workload)
    ]


def subtitle(workload: Workload) -> str:
    """Return what the rows were measured against, as "hard target: accuracy 95 % (pool) within 600 steps, …"."""
    if workload.target is None:
        goal = f"{workload.metric}, no {workload.target_level} target"
    elif workload.provenance == "given by hand":
        goal = f"target given by hand: {workload.metric} {metric_text(workload.target, workload)}"
    else:
        goal = (
            f"{workload.target_level} target: {workload.metric} {metric_text(workload.target, workload)}"
            f" ({workload.provenance})"
        )
    return f"{goal} within {workload.max_steps:,} steps, evaluated every {workload.eval_every_steps:,}"


def cells(row: Row, workload: Workload) -> dict[str, str]:
    """Return one text per column, whatever a record's names hold made printable."""
    texts = (
        str(row.rank),
        row.entry,
        f"{row.n_seeds:,}",
        NOTHING if row.hit_rate is None else f"{100 * row.hit_rate:.3g} %",
        steps_text(row),
        speedup_text(row),
        final_text(row, workload),
        str(row.diverged),
        row.verdict,
    )
    return dict(zip(COLUMNS, map(plain, texts), strict=True))


def steps_text(row: Row) -> str:
    """Return "230 [210–250], median 220": the restricted mean, its interval and the median."""
    steps = row.steps_to_target
    if steps.rmst is None:
        return NOTHING
    median = "not reached" if steps.median is None else f"{steps.median:,.0f}"
    return f"{steps.rmst:,.0f}{_interval(steps.low, steps.high, ',.0f')}, median {median}"


def speedup_text(row: Row) -> str:
    """Return "≥ 3.1× [2.6–3.8]"; "~" marks a ratio that bounds nothing, "–" one that cannot be formed."""
    if row.is_reference:
        return "reference"
    if row.speedup.estimate is None:
        return NOTHING
    sign = BOUND_SIGNS[row.speedup.bound]
    return f"{sign}{row.speedup.estimate:.3g}×{_interval(row.speedup.low, row.speedup.high, '.3g')}"


def final_text(row: Row, workload: Workload) -> str:
    """Return the final metric with its interval, accuracies in per cent."""
    final = row.final
    if final.mean is None:
        return NOTHING
    if facts_of(workload.metric).in_per_cent:
        low, high = (None if bound is None else 100 * bound for bound in (final.low, final.high))
        return f"{100 * final.mean:.2f} %{_interval(low, high, '.2f')}"
    return f"{final.mean:.4g}{_interval(final.low, final.high, '.4g')}"


def metric_text(value: float, workload: Workload) -> str:
    """Return a value of the metric, accuracies in per cent."""
    return facts_of(workload.metric).told(value)


def footnotes(board: Board) -> list[str]:
    """Return what has to be read with the tables."""
    legend = (
        f"steps to target: mean of min(t, budget) [{CONFIDENCE:.0%} interval]. speed-up: that mean of "
        f"'{board.reference}' ÷ the entry's, over paired seeds; ≥ or ≤ where misses make it a bound, ~ if both miss. "
        "rank: 1 + the entries that are significantly faster; an equal rank means not told apart. Intervals are not "
        "corrected for several comparisons; verdicts and ranks follow Holm-corrected exact sign-flip tests."
    )
    return [plain(legend), *map(plain, board.notes)] if board.entries else list(map(plain, board.notes))


def skipped_lines(board: Board, *, most: int | None = None) -> list[str]:
    """Return "path: reason" for everything left out, at most `most` of each reason and the number of the others."""
    by_reason: dict[str, list[str]] = {}
    for item in board.skipped:
        by_reason.setdefault(plain(item.reason), []).append(plain(str(item.path)))
    lines = []
    for reason, paths in by_reason.items():
        lines += [f"{path}: {reason}" for path in paths[:most]]
        if most is not None and len(paths) > most:
            lines.append(f"… and {len(paths) - most:,} more: {reason} (all of them: --format json)")
    return lines


def plain(text: str) -> str:
    """Return text from a record with everything that is not printable, terminal control codes above all, made visible.

    >>> plain("batch\\x1b[31m")
    'batch�[31m'
    """
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _interval(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f" [{low:{form}}–{high:{form}}]"
