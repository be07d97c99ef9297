"""What stands under the tables of a board: details of rows, entries across workloads, and what learning rates did."""

from bnbench.reports.cells import (
    BOUND_SIGNS,
    NOTHING,
    Block,
    across_rank,
    estimate_text,
    interval_text,
    plain,
    ratio_text,
    title,
)
from bnbench.scoring.board import Across, AcrossEntry, Board, Row, Tunability, Workload
from bnbench.scoring.board_tunability import RateOutcome

DETAILS = (
    "entry",
    "median",
    "ERT",
    "area under curve",
    "best",
    "test",
    "stalled",
    "spikes",
    "steps IQR",
    "worst tenth",
    "final IQR",
    "epochs",
    "samples",
    "seconds",
)
COSTS = ("entry", "step", "inference", "peak memory", "parameters", "hardware")
ACROSS = ("rank", "entry", "anchored", "workloads", "hit rate", "profile", "quality", "step cost")
RATES = ("entry", "lr", "width", "best of 1", "best of all")
MOST_WORKLOADS = 40
"""With more, the table of hit rates per workload is left to JSON."""


def sections(board: Board, *, everything: bool = False) -> list[Block]:
    """Return the tables under the board's own; with `everything` also the details and what holds per workload."""
    details = [block for workload in board.workloads for block in _details(board, workload)] if everything else []
    return [
        *details,
        *(block for across in board.across for block in _across(across, everything=everything)),
        *_tunability(board, everything=everything),
    ]


def _details(board: Board, workload: Workload) -> list[Block]:
    found = []
    for track, rows in board.rows_of(workload):
        name = title(workload, track)
        told = tuple(_detail_cells(row, workload) for row in rows)
        found.append(Block(f"{name}: details", "", told, DETAILS))
        if any(row.cost is not None for row in rows):
            found.append(Block(f"{name}: cost", "× beside none", tuple(map(_cost_cells, rows)), COSTS))
    return found


def _detail_cells(row: Row, workload: Workload) -> dict[str, str]:
    details, metric = row.details, workload.metric
    median = row.steps_to_target.median
    return {
        "entry": plain(row.entry),
        "median": _number(median) if median is not None or row.steps_to_target.rmst is None else "not reached",
        "ERT": _number(details.expected_running_time),
        "area under curve": estimate_text(
            details.area_under_curve.mean, details.area_under_curve.low, details.area_under_curve.high, metric
        ),
        "best": estimate_text(details.best.mean, details.best.low, details.best.high, metric),
        "test": estimate_text(details.test.mean, details.test.low, details.test.high, metric),
        "stalled": NOTHING if details.stalled is None else str(details.stalled),
        "spikes": NOTHING if details.spikes is None else f"{details.spikes:.3g}",
        "steps IQR": _number(details.steps_iqr),
        "worst tenth": _number(details.worst_tenth_steps),
        "final IQR": estimate_text(details.final_iqr, None, None, metric),
        "epochs": NOTHING if details.epochs is None else f"{details.epochs:.3g}",
        "samples": _number(details.samples),
        "seconds": NOTHING if details.seconds is None else f"{details.seconds:.3g}",
    }


def _cost_cells(row: Row) -> dict[str, str]:
    cost = row.cost
    if cost is None:
        return {"entry": plain(row.entry), **dict.fromkeys(COSTS[1:], NOTHING)}
    memory = NOTHING if cost.peak_memory_bytes is None else f"{cost.peak_memory_bytes / 1e6:.4g} MB"
    return {
        "entry": plain(row.entry),
        "step": f"{1e6 * cost.step_seconds:,.0f} µs ({ratio_text(cost.relative_step)})",
        "inference": f"{1e6 * cost.inference_seconds:,.0f} µs ({ratio_text(cost.relative_inference)})",
        "peak memory": f"{memory} ({ratio_text(cost.relative_memory)})",
        "parameters": f"{cost.parameters:,} ({ratio_text(cost.relative_parameters)})",
        "hardware": plain(cost.hardware),
    }


def _across(across: Across, *, everything: bool) -> list[Block]:
    track = "" if across.track == "recipe" else f" · {across.track}"
    name = f"across {len(across.workloads)} workloads{track}"
    goal = "target given by hand" if across.target_level == "given" else f"{across.target_level} targets"
    measured = any(entry.relative_step is not None for entry in across.entries)
    columns = ACROSS if measured else ACROSS[:-1]
    found = [Block(name, plain(goal), tuple(_across_cells(entry, across) for entry in across.entries), columns)]
    if everything and len(across.workloads) <= MOST_WORKLOADS:
        for what in ("hit rates", "speed-ups"):
            rows = tuple(_of_workload(across, index, what) for index in range(len(across.workloads)))
            entries = tuple(plain(entry.entry) for entry in across.entries)
            found.append(Block(f"{name}: {what}", plain(goal), rows, ("", *entries)))
    return found


def _across_cells(entry: AcrossEntry, across: Across) -> dict[str, str]:
    known = [rate for rate in entry.hit_rates if rate is not None]
    return {
        "rank": across_rank(entry, across),
        "entry": plain(entry.entry),
        "anchored": _anchored(entry),
        "workloads": str(entry.num_workloads),
        "hit rate": f"{100 * sum(known) / len(known):.3g} %" if known else NOTHING,
        "profile": f"{entry.profile_area:.3f}",
        "quality": NOTHING if entry.quality is None else f"{entry.quality:.3f}",
        "step cost": ratio_text(entry.relative_step),
    }


def _anchored(entry: AcrossEntry) -> str:
    if entry.is_reference:
        return "reference"
    anchored = entry.anchored
    if anchored.mean is None:
        return NOTHING
    return f"{BOUND_SIGNS[entry.bound]}{anchored.mean:.3g}×{interval_text(anchored.low, anchored.high, '.3g')}"


def _of_workload(across: Across, index: int, what: str) -> dict[str, str]:
    told = {"": plain(across.workloads[index])}  # no entry is called so
    for entry in across.entries:
        if what == "hit rates":
            rate = entry.hit_rates[index]
            told[plain(entry.entry)] = NOTHING if rate is None else f"{100 * rate:.3g} %"
        else:
            told[plain(entry.entry)] = ratio_text(entry.speedups[index])
    return told


def _tunability(board: Board, *, everything: bool) -> list[Block]:
    by_block: dict[tuple[str, str], list[Tunability]] = {}
    for each in board.tunability:
        if len(each.rates) > 1:
            by_block.setdefault((each.workload_id, each.target_level), []).append(each)
    columns = (*RATES, "outcomes per learning rate") if everything else RATES
    return [
        Block(f"{plain(told[0].workload)} · learning rates", "", tuple(map(_rate_cells, told)), columns)
        for told in by_block.values()
    ]


def _rate_cells(told: Tunability) -> dict[str, str]:
    edge = f" ({told.edge} tried)" if told.edge else ""
    first, last = (told.best_of[0].rmst, told.best_of[-1].rmst) if told.best_of else (None, None)
    return {
        "entry": plain(told.entry),
        "lr": f"{told.learning_rate:g}{edge}",
        "width": width_text(told),
        "best of 1": _number(first),
        "best of all": _number(last),
        "outcomes per learning rate": "; ".join(map(outcome_text, told.rates)),
    }


def width_text(told: Tunability) -> str:
    """Return "≥ 3.3 octaves", "none" where no learning rate serves."""
    if told.width_octaves is None:
        return "none"
    sign = "≥ " if told.open_below or told.open_above else ""
    return f"{sign}{told.width_octaves:.2g} octaves"


def outcome_text(outcome: RateOutcome) -> str:
    """Return "0.1: 7 reached, 1 diverged"."""
    counts = {
        "reached": outcome.reached,
        "slow": outcome.slow,
        "stalled": outcome.stalled,
        "diverged": outcome.diverged,
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{outcome.learning_rate:g}: {said}"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"
