"""What a row holds beyond the first view: other summaries of the same seeds, and the cost that was measured."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bnbench.metric_facts import facts_of
from bnbench.records.costs import Costs
from bnbench.scoring.area_under_curve import area_under_curve
from bnbench.scoring.block import Block, best_seen
from bnbench.scoring.board import Workload
from bnbench.scoring.board_row import CostOf, Details, Estimate
from bnbench.scoring.entry_curves import EntryCurves, counted_finals
from bnbench.scoring.expected_running_time import expected_running_time
from bnbench.scoring.final import final_metric
from bnbench.scoring.intervals import Interval, mean_interval
from bnbench.scoring.spread import interquartile_range, worst_tenth
from bnbench.scoring.stalled import stalled
from bnbench.scoring.times import Floats, Times


def goal_of(block: Block, targets: Mapping[str, Any]) -> float | None:
    """Return what stalled seeds are judged by the way to: the hard target, without one the best value seen."""
    hard = targets.get("hard")
    return best_seen(block.entries, block.workload) if hard is None else float(hard)


def with_details(block: Block, *, costs: Costs | None, goal: float | None) -> Block:
    """Return the block with the details and costs of its rows, all costs told on one hardware."""
    workload = block.workload
    first = block.entries[block.anchor or 0]
    hardware = None if costs is None else next(iter(costs.hardware_of(first.recorded_workload_id)), None)
    rows = []
    for index, (row, entry) in enumerate(zip(block.rows, block.entries, strict=True)):
        cost = cost_of(entry, costs, hardware=hardware)
        details = details_of(
            entry,
            block.times[index].times if block.times else None,
            workload,
            rmst=row.steps_to_target.rmst,
            goal=goal,
            cost=cost,
        )
        rows.append(replace(row, details=details, cost=cost))
    return replace(block, rows=tuple(rows))


def details_of(
    entry: EntryCurves,
    times: Times | None,
    workload: Workload,
    *,
    rmst: float | None,
    goal: float | None,
    cost: CostOf | None,
) -> Details:
    """Return the details of an entry; `goal` is what stalled seeds are measured by, `times` None without a target."""
    spikes, trivial = entry.spikes[np.isfinite(entry.spikes)], entry.trivial
    never_learns = stalled(entry.values, entry.diverged, trivial=trivial, goal=goal, direction=workload.direction)
    return Details(
        expected_running_time=None if times is None else expected_running_time(times),
        area_under_curve=_of(mean_interval(area_under_curve(entry.steps, entry.values, trivial=trivial))),
        best=_counted(entry.bests, entry, workload.metric),
        test=_counted(entry.tests, entry, workload.metric),
        stalled=int(never_learns.sum()),
        spikes=float(np.mean(spikes)) if len(spikes) else None,
        steps_iqr=None if times is None else interquartile_range(times.steps),
        worst_tenth_steps=None if times is None else worst_tenth(times.steps),
        final_iqr=interquartile_range(counted_finals(entry)),
        epochs=_product(rmst, entry.epochs_per_step),
        samples=_product(rmst, entry.samples_per_step),
        seconds=_product(rmst, None if cost is None else cost.step_seconds),
    )


def cost_of(entry: EntryCurves, costs: Costs | None, *, hardware: str | None) -> CostOf | None:
    """Return what the entry's own cell was measured to cost, None where it was not."""
    if costs is None or hardware is None:
        return None
    measured = costs.of(entry.recorded_workload_id, entry.recorded_entry, entry.cell_id, hardware=hardware)
    if measured is None:
        return None
    return CostOf(
        step_seconds=measured.step_seconds,
        inference_seconds=measured.inference_seconds,
        peak_memory_bytes=measured.peak_memory_bytes,
        parameters=measured.parameters,
        relative_step=measured.relative_step,
        relative_inference=measured.relative_inference,
        relative_memory=measured.relative_memory,
        relative_parameters=measured.relative_parameters,
        hardware=measured.hardware,
        measured_at=measured.measured_at,
    )


def _counted(values: Floats, entry: EntryCurves, metric: str) -> Estimate:
    """Lost seeds count as they do in the final metric."""
    interval, _ = final_metric(values, entry.diverged, trivial=entry.trivial, possible=facts_of(metric).possible)
    return _of(interval)


def _of(interval: Interval) -> Estimate:
    return Estimate(interval.estimate, interval.low, interval.high)


def _product(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first * second
