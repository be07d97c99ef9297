"""What the page shows of a row when it is opened: everything else that is known, every seed, the commands."""

from collections.abc import Sequence
from typing import Any

from bnbench.metric_facts import facts_of
from bnbench.reports.cells import NOTHING, plain
from bnbench.scoring.board import Curves, Estimate, Row, RunFact, SeedOutcome, Workload

Facts = list[tuple[str, str]]


def drill_down(row: Row, workload: Workload, curves: Curves | None, runs: Sequence[RunFact]) -> dict[str, Any]:
    """Return the groups of facts, the table of seeds and the records of a row, as texts."""
    groups = {
        "Steps to target": _steps(row),
        "Quality": _quality(row, workload),
        "Stability": _stability(row, workload),
        "Comparison": _comparison(row),
        "Cost, measured alone": _cost(row),
        "Learning rate": _tuning(row),
    }
    shown: dict[str, Any] = {"facts": [[name, facts] for name, facts in groups.items() if facts]}
    if curves is not None and curves.seeds:
        columns = ["seed", "steps to target", "final", "best", "test", "diverged at", "spikes"]
        shown["seeds"] = [columns, [_seed(seed, workload) for seed in curves.seeds]]
    shown["runs"] = [[plain(run.command), plain(run.path), plain(run.cell_id)] for run in runs]
    return shown


def _steps(row: Row) -> Facts:
    steps, details = row.steps_to_target, row.details
    return [
        ("restricted mean (RMST)", _with_interval(Estimate(steps.rmst, steps.low, steps.high), _count)),
        ("median", "not reached by half" if steps.median is None and steps.rmst is not None else _count(steps.median)),
        ("reached the target", _share(row)),
        ("expected running time (ERT)", _count(details.expected_running_time)),
        ("interquartile range over seeds", _count(details.steps_iqr)),
        ("slowest tenth of seeds", _count(details.worst_tenth_steps)),
        ("in epochs", _number(details.epochs)),
        ("in samples", _count(details.samples)),
        ("in seconds, by the step's cost", "needs a measured cost" if details.seconds is None else _seconds(row)),
    ]


def _quality(row: Row, workload: Workload) -> Facts:
    def told(value: float | None) -> str:
        return metric_value(value, workload)

    details, final = row.details, row.final
    return [
        ("final", _with_interval(Estimate(final.mean, final.low, final.high), told)),
        ("best", _with_interval(details.best, told)),
        ("test, at the best validation step", _with_interval(details.test, told)),
        ("mean over all steps (area under the curve)", _with_interval(details.area_under_curve, told)),
        ("interquartile range of final", told(details.final_iqr)),
        ("seeds counted at the trivial value", str(final.counted_trivial)),
    ]


def _stability(row: Row, workload: Workload) -> Facts:
    details = row.details
    return [
        ("diverged", f"{row.diverged} of {row.n_seeds}"),
        ("stalled", NOTHING if details.stalled is None else f"{details.stalled} of {row.n_seeds}"),
        ("loss spikes per seed", _number(details.spikes)),
        ("budget", f"{workload.max_steps:,} steps"),
    ]


def _comparison(row: Row) -> Facts:
    speedup = row.speedup
    if row.is_reference:
        return []
    return [
        ("paired seeds", str(speedup.n_pairs)),
        ("p of the sign-flip test", NOTHING if speedup.p_value is None else f"{speedup.p_value:.3g}"),
        ("p after Holm", NOTHING if speedup.p_holm is None else f"{speedup.p_holm:.3g}"),
        ("more seeds that would decide", NOTHING if speedup.more_seeds is None else f"about {speedup.more_seeds:,}"),
    ]


def _cost(row: Row) -> Facts:
    cost = row.cost
    if cost is None:
        return []
    memory = None if cost.peak_memory_bytes is None else cost.peak_memory_bytes / 2**20
    return [
        ("training step", _relative(f"{1e6 * cost.step_seconds:,.0f} µs", cost.relative_step)),
        ("inference", _relative(f"{1e6 * cost.inference_seconds:,.0f} µs", cost.relative_inference)),
        ("peak memory", NOTHING if memory is None else _relative(f"{memory:,.4g} MiB", cost.relative_memory)),
        ("parameters", _relative(f"{cost.parameters:,}", cost.relative_parameters)),
        ("hardware", plain(cost.hardware)),
        ("measured", plain(cost.measured_at)),
    ]


def _tuning(row: Row) -> Facts:
    tuning = row.tuning
    if tuning is None:
        return []
    edge = f"; the {tuning.edge} of the rates tried: beyond it lies perhaps a better one" if tuning.edge else ""
    return [
        ("chosen", f"{tuning.learning_rate:g} of {tuning.num_rates} rates{edge}"),
        ("tuning seeds", str(tuning.num_tuning_seeds)),
    ]


def _seed(seed: SeedOutcome, workload: Workload) -> list[str]:
    steps = _count(seed.steps)
    return [
        str(seed.seed),
        steps if seed.reached or seed.steps is None else f"not within {steps}",
        *(metric_value(value, workload) for value in (seed.final, seed.best, seed.test)),
        "" if seed.diverged_at_step is None else f"step {seed.diverged_at_step:,}",
        NOTHING if seed.spikes is None else str(seed.spikes),
    ]


def metric_value(value: float | None, workload: Workload) -> str:
    """Return a value of the workload's metric, accuracies in per cent."""
    if value is None:
        return NOTHING
    return f"{100 * value:.2f} %" if facts_of(workload.metric).in_per_cent else f"{value:.4g}"


def _with_interval(estimate: Estimate, told: Any) -> str:
    interval = "" if estimate.low is None else f" [{told(estimate.low)} – {told(estimate.high)}]"
    return f"{told(estimate.mean)}{interval}"


def _relative(told: str, ratio: float | None) -> str:
    return told if ratio is None else f"{told} ({ratio:.3g}× the reference)"


def _share(row: Row) -> str:
    if row.hit_rate is None:
        return "no target"
    low, high = row.hit_rate_interval.low, row.hit_rate_interval.high
    interval = "" if low is None or high is None else f" [{100 * low:.3g} – {100 * high:.3g} %]"
    return f"{100 * row.hit_rate:.3g} % of {row.n_seeds}{interval}"


def _seconds(row: Row) -> str:
    return f"{row.details.seconds:,.3g} s"


def _count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.3g}"
