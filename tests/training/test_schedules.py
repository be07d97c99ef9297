"""Schedules against their closed forms, and the learning-rate column against what the optimizer really used."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bnbench.errors import UserError
from bnbench.training.schedules import SCHEDULES, schedule_factor

FORMS: dict[str, Callable[[int], float]] = {
    "constant": lambda step: 1.0,
    "cosine": lambda step: math.cos(math.pi * step / 2 / 12) ** 2,  # half-angle form of (1 + cos)/2
    "step": lambda step: 0.5 ** (step // 5),
    "exponential": lambda step: math.exp(math.log(0.5) * step / 12),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_factor_is_the_closed_form_at_every_step(name: str) -> None:
    factor = schedule_factor({"name": name, "gamma": 0.5, "every_steps": 5}, max_steps=12)
    assert [factor(step) for step in range(13)] == pytest.approx([FORMS[name](step) for step in range(13)], abs=1e-15)


def test_unknown_schedule_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"schedule 'cosin' is unknown; did you mean 'cosine'\?"):
        schedule_factor({"name": "cosin"}, max_steps=1)


@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rate_column_is_the_rate_of_the_next_step(train: Callable[..., Any], name: str) -> None:
    """Under SGD on a network without norm the update is the rate times a gradient that two rates share."""
    options = {"schedule__name": name, "schedule__gamma": 0.5, "schedule__every_steps": 5}
    options |= {"budget__max_steps": 12, "budget__eval_every_steps": 1}
    run = train([0, 0], rates=[0.1, 1e-9], **options)
    steps = run.rows(0)[:, 0].astype(int)
    assert steps.tolist() == list(range(13))
    for place, rate in enumerate((0.1, 1e-9)):
        expected = [rate * FORMS[name](step) for step in steps]
        np.testing.assert_allclose(run.rows(place)[:, 4], expected, rtol=1e-12, atol=1e-24)


@pytest.mark.parametrize("name", SCHEDULES)
def test_optimizer_moves_by_the_scheduled_rate(train: Callable[..., Any], name: str) -> None:
    """A gradient that never changes (squared error far from its target): each step's move shows the rate used."""
    options = {"schedule__name": name, "schedule__gamma": 0.5, "schedule__every_steps": 5}
    options |= {"budget__max_steps": 12, "budget__eval_every_steps": 1, "trainer__precision": "64"}
    run = train([0], rates=[1e-12], task={"outputs": 1}, model__hidden=[], budget__batch_size=90, **options)
    bias = run.numbers(0)["state output.bias"][:, 0]
    moves = np.diff(bias)
    rates = run.rows(0)[:-1, 4]
    np.testing.assert_allclose(moves / rates, moves[0] / rates[0], rtol=1e-2)
