"""What is said before training starts: what the data are, what was left to them, and which targets they have."""

from pathlib import PurePath

from bnbench.config import Config, budget_of
from bnbench.datasets import Task
from bnbench.training.changed_data import changed_lines


def data_lines(asked: Config, filled_in: Config, task: Task) -> list[str]:
    """Return a title and the report of the data set, whether it has changed, and what went by the number of rows."""
    title = PurePath(asked.dataset.path).name if asked.dataset.path else task.name
    left_open = asked.model.hidden is None or None in vars(asked.budget).values()
    changed = changed_lines(filled_in, task)
    return [title, *task.report, *changed, *([plan_line(filled_in)] if left_open else [])]


def plan_line(config: Config) -> str:
    """Return the budget and the widths of the network in words."""
    budget = budget_of(config)
    widths = "-".join(map(str, config.model.hidden or [])) or "none"
    return (
        f"by the number of rows: hidden layers {widths}, {budget.max_steps:,} steps of {budget.batch_size} rows, "
        f"evaluated every {budget.eval_every_steps} (budget.* and model.hidden set them)"
    )


def target_lines(task: Task, why_no_target: str | None) -> list[str]:
    """Return a title and the ladder where the automatic rule set it, or why it could not."""
    if why_no_target is not None:
        return [f"{task.name}: {why_no_target}"]
    if task.targets is None or not str(task.targets["provenance"]).startswith("auto"):
        return []
    levels = ", ".join(f"{level} {task.targets[level]:.6g}" for level in ("easy", "medium", "hard"))
    return [f"target {task.metric_name} of {task.name}: {levels}", str(task.targets["provenance"])]
