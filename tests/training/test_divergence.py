"""A replica that diverges is recorded, has no rows from then on, leaves the stack, and spoils nobody."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bnbench.norms import NORMS
from bnbench.training.replicas import Replicas

Change = Callable[[Replicas, int], None]


def poison(position: int, *, at_step: int, value: float = float("nan")) -> Change:
    """One weight of one replica (by its position in the stack at that moment) becomes NaN after an evaluation."""

    def change(replicas: Replicas, step: int) -> None:
        if step == at_step:
            with torch.no_grad():
                replicas.parameters_stacked[0][position].view(-1)[0] = value

    return change


def untouched(replicas: Replicas, step: int) -> None:
    pass


LONGER = {"budget__max_steps": 12, "model__dropout": 0.2}


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_survivors_of_a_poisoned_replica_are_bit_identical(
    train: Callable[..., Any], assert_same: Callable[..., None], optimizer: str, value: float
) -> None:
    """Momentum and moments follow their replica when another leaves: a mix-up would show within a step."""
    options = {"norm": "layer", "optimizer__name": optimizer, "optimizer__weight_decay": 0.1, **LONGER}
    clean = train([0, 1, 2, 3], **options)
    spoiled = train([0, 1, 2, 3], change=poison(1, at_step=3, value=value), **options)
    assert spoiled.trajectory.diverged_at_step.tolist() == [0, 4, 0, 0]
    for place in (0, 2, 3):
        assert_same(spoiled.numbers(place), clean.numbers(place))


@pytest.mark.parametrize("norm", NORMS.names())
def test_survivors_are_bit_identical_under_every_norm(
    train: Callable[..., Any], assert_same: Callable[..., None], norm: str
) -> None:
    options = {"norm": norm, "optimizer__name": "adam", "optimizer__clip_gradient_norm": 0.5, **LONGER}
    clean = train([0, 1, 2], **options)
    spoiled = train([0, 1, 2], change=poison(0, at_step=3), **options)
    assert spoiled.trajectory.diverged_at_step.tolist() == [4, 0, 0]
    for place in (1, 2):
        assert_same(spoiled.numbers(place), clean.numbers(place))


def test_one_after_another_survivors_are_bit_identical_too(
    train: Callable[..., Any], assert_same: Callable[..., None]
) -> None:
    options = {"norm": "batch", "stacked": False, "optimizer__name": "momentum", **LONGER}
    clean = train([0, 1, 2], **options)
    spoiled = train([0, 1, 2], change=poison(1, at_step=6), **options)
    for place in (0, 2):
        assert_same(spoiled.numbers(place), clean.numbers(place))


def test_diverged_replica_keeps_its_rows_before_and_has_none_after(train: Callable[..., Any]) -> None:
    clean = train([0, 1, 2], norm="batch", **LONGER)
    spoiled = train([0, 1, 2], norm="batch", change=poison(2, at_step=6), **LONGER)
    assert spoiled.rows(2)[:, 0].tolist() == [0, 3, 6]
    np.testing.assert_array_equal(spoiled.rows(2), clean.rows(2)[:3])
    assert spoiled.rows(0)[:, 0].tolist() == [0, 3, 6, 9, 12]
    assert np.isfinite(spoiled.trajectory.test_metric).all()  # measured with its best weights, from before


def test_diverged_replica_leaves_the_stack(train: Callable[..., Any]) -> None:
    sizes = []

    def change(replicas: Replicas, step: int) -> None:
        sizes.append(replicas.count)
        poison(0, at_step=3)(replicas, step)

    train([0, 1, 2], norm="batch", change=change, **LONGER)
    assert sizes == [3, 3, 2, 2, 2]


def test_several_leave_one_after_another(train: Callable[..., Any], assert_same: Callable[..., None]) -> None:
    def change(replicas: Replicas, step: int) -> None:
        poison(1, at_step=3)(replicas, step)  # 0 1 2 3 4: seed 1 goes
        poison(3, at_step=6)(replicas, step)  # 0 2 3 4: seed 4 goes

    options = {"norm": "batch", "optimizer__name": "adam", **LONGER}
    clean, spoiled = train(list(range(5)), **options), train(list(range(5)), change=change, **options)
    assert spoiled.trajectory.diverged_at_step.tolist() == [0, 4, 0, 0, 7]
    for place in (0, 2, 3):
        assert_same(spoiled.numbers(place), clean.numbers(place))


def test_absurd_learning_rate_diverges_among_sane_ones_and_spoils_none(
    train: Callable[..., Any], assert_same: Callable[..., None]
) -> None:
    """All replicas of one rate leave: its group of the optimizer is empty from then on."""
    options = {"norm": "none", "task": {"outputs": 1}, "optimizer__name": "momentum", **LONGER}
    run = train([0, 1, 0, 1, 0, 1], rates=[0.01, 0.01, 1e30, 1e30, 0.03, 0.03], **options)
    diverged = run.trajectory.diverged_at_step
    assert diverged[[0, 1, 4, 5]].tolist() == [0, 0, 0, 0]
    assert ((diverged[2:4] >= 1) & (diverged[2:4] <= 3)).all()
    for place, (seed, rate) in {1: (1, 0.01), 4: (0, 0.03)}.items():
        assert_same(run.numbers(place), train([seed], rates=[rate], **options).numbers(0))


def test_parameter_that_is_not_finite_at_an_evaluation_counts_at_that_step(train: Callable[..., Any]) -> None:
    """The loss of the last step before the evaluation was still finite; the update it led to was not."""
    run = train(
        [0, 1], rates=[1e38, 0.1], norm="none", budget__max_steps=1, budget__eval_every_steps=1, task={"outputs": 1}
    )
    state = run.trajectory
    assert state.diverged_at_step.tolist() == [1, 0]
    assert run.rows(0)[:, 0].tolist() == [0]
    assert run.rows(1)[:, 0].tolist() == [0, 1]


@pytest.mark.parametrize(("every", "expected"), [(1, 1), (2, 2), (3, 2), (6, 2)])
def test_spoiled_parameter_counts_at_its_evaluation_or_at_the_next_loss(
    train: Callable[..., Any], every: int, expected: int
) -> None:
    """The update of step 1 is not finite, its loss is: found at step 1 if that is evaluated, else by the loss of 2."""
    run = train([0, 1], rates=[1e38, 0.1], norm="none", budget__eval_every_steps=every, task={"outputs": 1})
    assert run.trajectory.diverged_at_step.tolist() == [expected, 0]


@pytest.mark.parametrize("every", [1, 2, 3, 6])
def test_loss_that_is_not_finite_counts_at_its_step_whatever_the_cadence(train: Callable[..., Any], every: int) -> None:
    """At this rate step 1 leaves parameters that are huge but finite; the loss of step 2 is not."""
    run = train([0, 1], rates=[1e10, 0.1], norm="none", budget__eval_every_steps=every, task={"outputs": 1})
    assert run.trajectory.diverged_at_step.tolist() == [2, 0]


@pytest.mark.parametrize("stacked", [True, False])
def test_all_diverging_ends_cleanly_with_a_row_each(train: Callable[..., Any], stacked: bool) -> None:
    def change(replicas: Replicas, step: int) -> None:
        for position in range(replicas.count):
            poison(position, at_step=3)(replicas, step)

    run = train([0, 1, 2], norm="batch", change=change, stacked=stacked, **LONGER)
    assert run.trajectory.diverged_at_step.tolist() == [4, 4, 4]
    assert [run.rows(place)[:, 0].tolist() for place in range(3)] == [[0, 3]] * 3
    assert run.trajectory.steps == 6  # found out at the next evaluation, where training stops
    assert np.isfinite(run.trajectory.test_metric).all()


def test_poison_from_the_start_still_leaves_the_row_at_step_zero(train: Callable[..., Any]) -> None:
    run = train([0, 1], norm="none", change=poison(0, at_step=0), task={"outputs": 1}, **LONGER)
    assert run.trajectory.diverged_at_step.tolist() == [1, 0]
    assert run.rows(0)[:, 0].tolist() == [0]


def test_spikes_and_largest_loss_stay_with_their_replica(train: Callable[..., Any]) -> None:
    clean = train([0, 1, 2], norm="batch", **LONGER).trajectory
    spoiled = train([0, 1, 2], norm="batch", change=poison(0, at_step=3), **LONGER).trajectory
    assert spoiled.max_loss[1:].tolist() == clean.max_loss[1:].tolist()
    assert np.isfinite(spoiled.max_loss[0])
