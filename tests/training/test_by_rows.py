"""What is left to the number of rows becomes sensible numbers, and what is given stays."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bnbench.config import BudgetConfig, Config, budget_of
from bnbench.training.by_rows import fill_in_by_rows


def filled_in(configure: Callable[..., Config], rows: int, **given: Any) -> Config:
    config = configure()
    budget = BudgetConfig(**({"max_steps": None, "batch_size": None, "eval_every_steps": None} | given))
    config = replace(config, budget=budget, model=replace(config.model, hidden=None))
    task: Any = SimpleNamespace(train_inputs=range(rows * 3 // 5), validation_inputs=range(rows // 5))
    return fill_in_by_rows(config, task)


@pytest.mark.parametrize(
    ("rows", "widths", "batch_size", "max_steps", "eval_every_steps"),
    [
        (10, [64, 64], 2, 300, 3),  # 6 training rows: half of them are 3
        (100, [64, 64], 16, 300, 3),
        (1_000, [64, 64], 32, 800, 8),
        (2_000, [64, 64], 64, 800, 8),
        (20_000, [128, 128], 128, 2000, 20),
        (200_000, [128, 128], 256, 2000, 80),  # 40,000 rows to evaluate cost 53 steps; 80 divides 2,000
        (1_000_000, [128, 128], 256, 2000, 200),
    ],
)
def test_sizes_by_rows(
    rows: int,
    widths: list[int],
    batch_size: int,
    max_steps: int,
    eval_every_steps: int,
    configure: Callable[..., Config],
) -> None:
    config = filled_in(configure, rows)
    budget = budget_of(config)
    assert config.model.hidden == widths
    assert (budget.batch_size, budget.max_steps, budget.eval_every_steps) == (batch_size, max_steps, eval_every_steps)


@pytest.mark.parametrize("rows", [4, 7, 33, 100, 1_001, 9_999, 31_234, 10**6, 10**7])
def test_every_size_can_be_trained(rows: int, configure: Callable[..., Config]) -> None:
    budget = budget_of(filled_in(configure, rows))
    assert 2 <= budget.batch_size <= rows * 3 // 5
    assert budget.max_steps % budget.eval_every_steps == 0
    assert 10 <= budget.max_steps // budget.eval_every_steps <= 100


def test_what_is_given_stays(configure: Callable[..., Config]) -> None:
    config = filled_in(configure, 2_000, max_steps=7)
    assert budget_of(config).max_steps == 7
    assert budget_of(config).eval_every_steps == 1
    given = configure(model__hidden=[5])
    assert fill_in_by_rows(given, SimpleNamespace(train_inputs=range(9), validation_inputs=range(3))) == given


def test_a_budget_is_read_only_once_it_is_filled_in(configure: Callable[..., Config]) -> None:
    config = configure(budget__max_steps=None)
    with pytest.raises(TypeError, match="not filled in"):
        budget_of(config)
