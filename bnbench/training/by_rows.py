"""What a configuration leaves to the number of rows: batch size, steps, evaluations, widths of the network."""

from dataclasses import replace
from math import ceil

from bnbench.config import BudgetConfig, Config
from bnbench.datasets import Task

# (rows of the training part below which it holds, batch size, widths); widths that groups of 4 divide
SIZES = (
    (1_000, 32, [64, 64]),
    (10_000, 64, [64, 64]),
    (100_000, 128, [128, 128]),
    (float("inf"), 256, [128, 128]),
)
PASSES = 40
FEWEST_STEPS, MOST_STEPS, WHOLE_STEPS = 300, 2000, 100
MOST_EVALUATIONS, FEWEST_EVALUATIONS = 100, 10
# a row costs three times as much to learn from, forwards and backwards, as to be evaluated
COST_OF_LEARNING = 3


def fill_in_by_rows(config: Config, task: Task) -> Config:
    """Return the configuration with numbers for what is null in `budget` and `model.hidden`, by the rows of the task.

    Batches of 32 rows below 1,000 training rows, 64 below 10,000, 128 below 100,000 and 256 from there on, but never
    more than half of them; two layers of 64 units, of 128 from 10,000 rows on. 40 passes over the rows, but at least
    300 and at most 2,000 steps, in whole hundreds. 100 evaluations, fewer (at least 10) where evaluating would take
    longer than learning. So a hundred rows train in seconds and a million in minutes, whatever is asked of them.
    """
    budget, model, rows = config.budget, config.model, len(task.train_inputs)
    batch_size, hidden = next((size, widths) for below, size, widths in SIZES if rows < below)
    while 2 * batch_size > rows and batch_size > 2:
        batch_size //= 2
    batch_size = budget.batch_size or batch_size
    max_steps = budget.max_steps or _steps(rows, batch_size)
    every_steps = budget.eval_every_steps or _cadence(len(task.validation_inputs), batch_size, max_steps)
    return replace(
        config,
        budget=BudgetConfig(max_steps=max_steps, batch_size=batch_size, eval_every_steps=every_steps),
        model=replace(model, hidden=list(hidden)) if model.hidden is None else model,
    )


def _steps(rows: int, batch_size: int) -> int:
    whole = ceil(PASSES * rows / batch_size / WHOLE_STEPS) * WHOLE_STEPS
    return min(max(whole, FEWEST_STEPS), MOST_STEPS)


def _cadence(validation_rows: int, batch_size: int, max_steps: int) -> int:
    """Return the steps between evaluations, the divisor of `max_steps` next above what they should be."""
    as_costly = ceil(validation_rows / (COST_OF_LEARNING * batch_size))
    wanted = max(ceil(max_steps / MOST_EVALUATIONS), as_costly)
    longest = max(1, max_steps // FEWEST_EVALUATIONS)
    return next((steps for steps in range(wanted, longest) if max_steps % steps == 0), longest)
