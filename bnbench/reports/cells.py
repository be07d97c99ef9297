"""The first view of a board as text: one short cell per column, shared by the terminal and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.metric_facts import facts_of
from bnbench.scoring.across import LEGEND as ACROSS_LEGEND
from bnbench.scoring.board import Across, AcrossEntry, Board, Row, Workload
from bnbench.scoring.intervals import CONFIDENCE
from bnbench.scoring.tunability import LEGEND as TUNABILITY_LEGEND

COLUMNS = ("rank", "entry", "seeds", "hit rate", "steps to target", "speed-up", "final", "diverged", "verdict")
"""What every table of the first view shows; beside it the learning rate in the tuned track, the step cost if known."""
RATE, COST = "lr", "step cost"
NOTHING = "–"
BOUND_SIGNS = {"exact": "", "at_least": "≥ ", "at_most": "≤ ", "undefined": "~ "}


@dataclass(frozen=True)
class Block:
    """One table: its rows, each as one text per column."""

    title: str
    subtitle: str
    rows: tuple[dict[str, str], ...]
    columns: tuple[str, ...] = COLUMNS


def blocks(board: Board) -> list[Block]:
    """Return the board's tables in order."""
    measured = any(row.cost is not None for row in board.entries)
    return [
        Block(
            title=title(workload, track),
            subtitle=plain(subtitle(workload)),
            rows=tuple(cells(row, workload) for row in rows),
            columns=_columns(rows, measured=measured),
        )
        for workload in board.workloads
        for track, rows in board.rows_of(workload)
    ]


def title(workload: Workload, track: str) -> str:
    """Return the name of a workload, with its track where that is not the recipe."""
    return plain(workload.workload if track == "recipe" else f"{workload.workload} · {track}")


def _columns(rows: Sequence[Row], *, measured: bool) -> tuple[str, ...]:
    """A column in which nothing can stand is left out."""
    rate = (RATE,) if any(row.tuning is not None for row in rows) else ()
    cost = (COST,) if measured else ()
    return (*COLUMNS[:2], *rate, *COLUMNS[2:-1], *cost, COLUMNS[-1])


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
    texts = {
        "rank": str(row.rank),
        "entry": row.entry,
        RATE: NOTHING if row.tuning is None else f"{row.tuning.learning_rate:g}",
        "seeds": f"{row.n_seeds:,}",
        "hit rate": NOTHING if row.hit_rate is None else f"{100 * row.hit_rate:.3g} %",
        "steps to target": steps_text(row),
        "speed-up": speedup_text(row),
        "final": final_text(row, workload),
        "diverged": str(row.diverged),
        COST: ratio_text(None if row.cost is None else row.cost.relative_step),
        "verdict": row.verdict,
    }
    return {column: plain(text) for column, text in texts.items()}


def across_rank(entry: AcrossEntry, across: Across) -> str:
    """Return an entry's rank over all workloads, "–" where it has no speed-up in some and so is not ranked."""
    return str(entry.rank) if entry.num_workloads == len(across.workloads) else NOTHING


def ratio_text(value: float | None) -> str:
    """Return a factor as "1.35×"."""
    return NOTHING if value is None else f"{value:.3g}×"


def steps_text(row: Row) -> str:
    """Return "230 [210–250], median 220": the restricted mean, its interval and the median."""
    steps = row.steps_to_target
    if steps.rmst is None:
        return NOTHING
    median = "not reached" if steps.median is None else f"{steps.median:,.0f}"
    return f"{steps.rmst:,.0f}{interval_text(steps.low, steps.high, ',.0f')}, median {median}"


def speedup_text(row: Row) -> str:
    """Return "≥ 3.1× [2.6–3.8]"; "~" marks a ratio that bounds nothing, "–" one that cannot be formed."""
    if row.is_reference:
        return "reference"
    if row.speedup.estimate is None:
        return NOTHING
    sign = BOUND_SIGNS[row.speedup.bound]
    return f"{sign}{row.speedup.estimate:.3g}×{interval_text(row.speedup.low, row.speedup.high, '.3g')}"


def final_text(row: Row, workload: Workload) -> str:
    """Return the final metric with its interval, accuracies in per cent."""
    return estimate_text(row.final.mean, row.final.low, row.final.high, workload.metric)


def estimate_text(mean: float | None, low: float | None, high: float | None, metric: str) -> str:
    """Return a mean of the metric with its interval, accuracies in per cent."""
    if mean is None:
        return NOTHING
    if facts_of(metric).in_per_cent:
        low, high = (None if bound is None else 100 * bound for bound in (low, high))
        return f"{100 * mean:.2f} %{interval_text(low, high, '.2f')}"
    return f"{mean:.4g}{interval_text(low, high, '.4g')}"


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
    if any(row.cost is not None for row in board.entries):
        legend += (
            " step cost: time of a training step ÷ that of 'none', measured alone and in turns; – where unmeasured."
        )
    told = [legend, *([ACROSS_LEGEND] if board.across else []), *([TUNABILITY_LEGEND] if board.tunability else [])]
    notes = [*board.notes, *(note for across in board.across for note in across.notes)]
    return [*map(plain, told), *map(plain, notes)] if board.entries else list(map(plain, notes))


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
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def interval_text(low: float | None, high: float | None, form: str) -> str:
    """Return " [2.6–3.8]", nothing where a bound is not known."""
    return "" if low is None or high is None else f" [{low:{form}}–{high:{form}}]"
