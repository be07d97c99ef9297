"""The targets of a data set that has none: measured by the reference on seeds kept for nothing else, once."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bnbench.config import Config, learning_rates
from bnbench.datasets import Task, target_ladder
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.records import digest, load_records, read_targets, targets_lock, write_targets
from bnbench.seeding import TARGET_SEEDS
from bnbench.training.cells import Cell, plan_cells
from bnbench.training.job import CellReport, Observe, run_job

REFERENCE = "none"
TARGET_RUNS = 5
TARGETING = range(TARGET_SEEDS, TARGET_SEEDS + TARGET_RUNS)
RULE_VERSION = 1


def with_targets(
    config: Config, task: Task, *, command: str = "", observe: Observe = lambda parts, task: ()
) -> tuple[Task, str | None]:
    """Return the task with a ladder: its own, or that of the automatic rule; and why there is none.

    The rule: trivial predictor + 50, 80 and 95 % of the gap to the median best of the reference over the target seeds,
    at the learning rate of the configuration; at the best of them where it has several, chosen on the same runs, since
    a target that is a little harder to reach is so for every norm. One ladder for all learning rates and all norms of a
    sweep: it is kept in RUNS_DIR/targets and computed by the first process that needs it.

    A reference that learns nothing sets no target: then the reason is returned beside a task without any.
    Raises UserError if its runs fail.
    """
    if task.targets is not None:
        return task, None
    ladder = _automatic_targets(config, task, command=command, observe=observe)
    return replace(task, targets=ladder["targets"]), ladder["reason"]


def foreseen_targets(config: Config, task: Task) -> tuple[str, list[Cell]]:
    """Return where the targets come from, in words, and the cells to train where they are still to be measured."""
    if task.targets is not None:
        return described(task.targets), []
    reference = _reference(config)
    known = read_targets(config.runs_dir, _id(reference, task))
    if known is not None:
        return (known["reason"] or "none") if known["targets"] is None else described(known["targets"]), []
    said = f"to be measured first, by the automatic rule: {TARGET_RUNS} runs of '{REFERENCE}' at each learning rate"
    return said, plan_cells(reference, task, choose_norm(reference.norm))


def described(targets: Mapping[str, Any]) -> str:
    """Return a ladder and its provenance in words."""
    levels = ", ".join(f"{level} {targets[level]:.6g}" for level in ("easy", "medium", "hard"))
    return f"{levels}; {targets['provenance']}"


def _reference(config: Config) -> Config:
    recipe = replace(config, norm={"name": REFERENCE}, seeds=list(TARGETING), track="recipe", recipe_lr=None)
    return replace(recipe, diagnostics=[])


def _automatic_targets(config: Config, task: Task, *, command: str, observe: Observe) -> dict[str, Any]:
    """Return what RUNS_DIR/targets holds of the ladder: `targets` or the `reason` why there are none, and evidence."""
    reference = _reference(config)
    targets_id = _id(reference, task)
    with targets_lock(config.runs_dir, targets_id):
        known = read_targets(config.runs_dir, targets_id)
        if known is not None:
            return known
        cells = run_job(reference, task=task, command=command, observe=observe, wait=True)
        made = _measured(reference, task, cells)
        write_targets(config.runs_dir, targets_id, made)
    return made


def _id(reference: Config, task: Task) -> str:
    """Return the name of the ladder: everything that decides it, with all learning rates in the place of one."""
    first, *_ = plan_cells(reference, task, choose_norm(reference.norm))
    workload = first.identity["workload"]
    workload = workload | {"optimizer": workload["optimizer"] | {"lr": sorted(learning_rates(reference))}}
    return digest({**first.identity, "workload": workload, "rule": RULE_VERSION, "runs": TARGET_RUNS})


def _measured(reference: Config, task: Task, cells: Sequence[CellReport]) -> dict[str, Any]:
    failed = [f"{cell.name}: {cell.error}" for cell in cells if cell.error]
    if failed:
        raise UserError(f"the runs that set the target failed: {'; '.join(failed)}")
    rates = learning_rates(reference)
    medians = {rate: median_best(Path(cell.folder), task, TARGETING) for rate, cell in zip(rates, cells, strict=True)}
    better = max if task.direction == "max" else min
    rate = better(medians, key=lambda each: medians[each])
    best = medians[rate]
    among = f" of {len(rates)}, chosen on these runs" if len(rates) > 1 else ""
    provenance = (
        f"auto: trivial {task.trivial:.4g} + 50/80/95 % of the gap to {best:.4g}, the median best {task.metric_name} "
        f"of {TARGET_RUNS} runs of '{REFERENCE}' on the reserved target seeds, at lr {rate:g}{among}"
    )
    targets, reason = None, None
    try:
        targets = target_ladder(trivial=task.trivial, best=best, direction=task.direction, provenance=provenance)
    except UserError as error:
        reason = str(error)
    return {
        "dataset": task.name,
        "metric": task.metric_name,
        "targets": targets,
        "reason": reason,
        "trivial": task.trivial,
        "learning_rate": rate,
        "median_best": {f"{each:g}": median for each, median in medians.items()},
    }


def median_best(folder: Path, task: Task, seeds: Sequence[int]) -> float:
    """Return the median best metric over the seeds; one without any value counts as the trivial predictor."""
    key = f"best_val_{task.metric_name}"
    best = [
        task.trivial if seed["final"][key] is None else seed["final"][key]
        for record in load_records(folder).records
        for seed in record.seeds
        if seed["seed"] in seeds
    ]
    return statistics.median(best)
