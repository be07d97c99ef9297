"""The cadence of evaluations, and what they measure, against torchmetrics."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics.functional import accuracy, mean_squared_error

from bnbench.datasets import Task
from bnbench.models import build_network
from bnbench.norms import choose_norm
from bnbench.training.evaluation import EVALUATION_ROWS, evaluate, evaluation_parts
from bnbench.training.replicas import Replicas


@pytest.mark.parametrize(
    ("max_steps", "every", "expected"),
    [(6, 3, [0, 3, 6]), (7, 3, [0, 3, 6, 7]), (5, 5, [0, 5]), (3, 1, [0, 1, 2, 3]), (1, 1, [0, 1])],
)
def test_rows_stand_at_zero_at_every_cadence_and_at_the_end(
    train: Callable[..., Any], max_steps: int, every: int, expected: list[int]
) -> None:
    run = train([0, 1], budget__max_steps=max_steps, budget__eval_every_steps=every)
    for place in range(2):
        rows = run.rows(place)
        assert rows[:, 0].tolist() == expected
        assert np.isnan(rows[0, 1])
        assert np.isfinite(rows[1:, 1]).all()
        assert np.isfinite(rows[:, 2:]).all()
    assert run.trajectory.steps == max_steps


def test_cadence_does_not_change_the_training(train: Callable[..., Any]) -> None:
    options = {"norm": "batch", "model__dropout": 0.2}
    often, rarely = (train([0], budget__eval_every_steps=every, **options).rows(0) for every in (1, 6))
    np.testing.assert_array_equal(often[-1, 2:], rarely[-1, 2:])
    assert rarely[-1, 1] == pytest.approx(often[1:, 1].mean(), rel=1e-6)


def single_outputs(run: Any, config: Any, task: Task, place: int) -> torch.Tensor:
    """The outputs of the last evaluation, by the plain network with the weights of that moment."""
    network = build_network(
        vars(config.model),
        num_inputs=task.num_features,
        num_outputs=task.num_outputs,
        norm=choose_norm(config.norm),
        seed=0,
    )
    network.load_state_dict({name: stack[place] for name, stack in run.states[-1].items()})
    return network.eval()(task.validation_inputs).detach()


@pytest.mark.parametrize("outputs", [1, 3])
def test_metric_and_loss_are_those_of_torchmetrics_and_torch(
    train: Callable[..., Any], configure: Callable[..., Any], task_of: Callable[..., Task], outputs: int
) -> None:
    run = train([0, 1], norm="batch", task={"outputs": outputs})
    task = task_of(outputs=outputs)
    for place in range(2):
        predicted = single_outputs(run, configure("batch"), task, place)
        if outputs == 3:
            metric = accuracy(predicted, task.validation_labels, task="multiclass", num_classes=3)
            loss = torch.nn.functional.cross_entropy(predicted, task.validation_labels)
        else:
            loss = mean_squared_error(predicted[:, 0], task.validation_labels)
            metric = mean_squared_error(predicted[:, 0], task.validation_labels, squared=False) * task.label_scale
        np.testing.assert_allclose(run.rows(place)[-1, 2:4], [loss, metric], rtol=1e-5)


@pytest.mark.parametrize("outputs", [1, 3])
def test_best_step_decides_the_test_metric(train: Callable[..., Any], outputs: int) -> None:
    run = train([0, 1, 2], norm="layer", task={"outputs": outputs}, budget__max_steps=40, optimizer__lr=0.5)
    trajectory = run.trajectory
    for place in range(3):
        metrics = run.rows(place)[:, 3]
        best = metrics.max() if trajectory.maximise else metrics.min()
        assert trajectory.best_metric[place] == best
        first = run.rows(place)[metrics == best, 0][0]
        assert trajectory.best_step[place] == first
        assert trajectory.last_metric[place] == metrics[-1]
    assert trajectory.best_step.min() < 40  # else this says nothing about going back to the best weights
    assert np.isfinite(trajectory.test_metric).all()


def test_test_part_is_measured_with_the_weights_of_the_best_step(
    train: Callable[..., Any], configure: Callable[..., Any], task_of: Callable[..., Task]
) -> None:
    run = train([0, 1, 2], norm="layer", task={"outputs": 1}, budget__max_steps=40, optimizer__lr=0.5)
    task = task_of(outputs=1)
    for place, best_step in enumerate(run.trajectory.best_step):
        steps = run.rows(place)[:, 0].tolist()
        state = {name: stack[place] for name, stack in run.states[steps.index(best_step)].items()}
        network = build_network(
            vars(configure().model), num_inputs=12, num_outputs=1, norm=choose_norm({"name": "layer"}), seed=0
        )
        network.load_state_dict(state)
        predicted = network.eval()(task.test_inputs).detach()[:, 0]
        expected = mean_squared_error(predicted, task.test_labels, squared=False) * task.label_scale
        assert run.trajectory.test_metric[place] == pytest.approx(float(expected), rel=1e-5)


def test_more_rows_than_one_product_holds_are_all_counted(
    configure: Callable[..., Any], task_of: Callable[..., Task]
) -> None:
    task = task_of(rows=2 * EVALUATION_ROWS + 5)
    model = vars(configure().model)
    networks = [
        build_network(model, num_inputs=12, num_outputs=3, norm=choose_norm({"name": "none"}), seed=seed)
        for seed in (0, 1)
    ]
    result = evaluate(Replicas(networks), task.train_inputs, task.train_labels, task=task)
    for place, network in enumerate(networks):
        outputs = network(task.train_inputs)
        loss = torch.nn.functional.cross_entropy(outputs, task.train_labels)
        metric = accuracy(outputs, task.train_labels, task="multiclass", num_classes=3)
        np.testing.assert_allclose([result.loss[place], result.metric[place]], [loss.item(), metric], rtol=1e-5)


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(1, [1]), (2, [2]), (511, [511]), (512, [512]), (513, [513]), (514, [512, 2]), (1025, [512, 513])],
)
def test_no_row_is_evaluated_alone_where_there_are_others(rows: int, sizes: list[int]) -> None:
    parts = evaluation_parts(rows)
    assert [part.stop - part.start for part in parts] == sizes
    assert [row for part in parts for row in range(rows)[part]] == list(range(rows))


def test_norm_without_running_statistics_is_evaluated_on_a_part_and_a_row(
    configure: Callable[..., Any], task_of: Callable[..., Task]
) -> None:
    task = task_of(rows=EVALUATION_ROWS + 1)
    norm = choose_norm({"name": "batch", "running_statistics": False})
    network = build_network(vars(configure().model), num_inputs=12, num_outputs=3, norm=norm, seed=0)
    result = evaluate(Replicas([network]), task.train_inputs, task.train_labels, task=task)
    loss = torch.nn.functional.cross_entropy(network.eval()(task.train_inputs), task.train_labels)
    np.testing.assert_allclose(result.loss[0], loss.item(), rtol=1e-5)
