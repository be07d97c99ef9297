"""Every loss against torch's own, its gradient, and what comes of training by it: loss and metric of a replica."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bnbench.datasets import Task
from bnbench.datasets.row_errors import class_scores
from bnbench.datasets.task import LOSSES
from bnbench.metric_facts import METRICS
from bnbench.models import build_network
from bnbench.norms import choose_norm
from bnbench.training.evaluation import EVALUATION_ROWS, evaluate
from bnbench.training.losses import ROW_LOSSES, row_losses
from bnbench.training.replicas import Replicas

OUTPUTS = {"cross_entropy": 3, "binary": 1, "mse": 1, "huber": 1}


def of_torch(loss: str, outputs: Tensor, labels: Tensor) -> Tensor:
    """The mean of torch's own loss."""
    return {
        "cross_entropy": lambda: functional.cross_entropy(outputs, labels),
        "binary": lambda: functional.binary_cross_entropy_with_logits(outputs[:, 0], labels.to(outputs.dtype)),
        "mse": lambda: functional.mse_loss(outputs[:, 0], labels),
        "huber": lambda: functional.huber_loss(outputs[:, 0], labels),
    }[loss]()


def task_keys(loss: str, metric: str | None = None) -> dict[str, Any]:
    """The small task on which a loss is trained."""
    classes = {"cross_entropy": 3, "binary": 2}
    return {"outputs": classes.get(loss, 1), "loss": loss, "metric": metric}


def rows_for(loss: str) -> tuple[Tensor, Tensor]:
    """Outputs (40, outputs), among them zeros, large and small ones, and labels (40,)."""
    stream = torch.Generator().manual_seed(0)
    outputs = 3 * torch.randn(40, OUTPUTS[loss], generator=stream, dtype=torch.float64)
    outputs[:6] = 0.0
    outputs[6:9] *= 100
    if LOSSES[loss] == "classification":
        return outputs, torch.randint(max(OUTPUTS[loss], 2), (40,), generator=stream)
    return outputs, torch.randn(40, generator=stream, dtype=torch.float64)


WORKING = [(loss, metric) for loss, kind in LOSSES.items() for metric, facts in METRICS.items() if facts.kind == kind]


def test_every_loss_that_can_be_asked_for_can_be_computed() -> None:
    assert set(ROW_LOSSES) == set(LOSSES)


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_and_gradient_are_those_of_torch(loss: str) -> None:
    """Also at a logit of exactly 0, which is what a network without a living unit says."""
    outputs, labels = rows_for(loss)
    ours, theirs = (outputs.clone().requires_grad_() for _ in range(2))
    found, expected = row_losses(loss)(ours, labels).mean(), of_torch(loss, theirs, labels)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    (gradient,) = torch.autograd.grad(found, ours)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, theirs)[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_keeps_replicas_apart(loss: str) -> None:
    outputs, labels = rows_for(loss)
    stack, their_labels = torch.stack([outputs, outputs.flip(0)]), torch.stack([labels, labels.flip(0)])
    found = row_losses(loss)(stack, their_labels)
    assert found.shape == (2, 40)
    assert torch.equal(found[0], row_losses(loss)(outputs, labels))
    assert torch.equal(found[1], found[0].flip(0))


@pytest.mark.parametrize(("loss", "metric"), WORKING)
def test_rows_of_a_run_are_those_of_torch_and_torchmetrics(
    loss: str,
    metric: str,
    train: Callable[..., Any],
    configure: Callable[..., Any],
    task_of: Callable[..., Task],
    expected_metric: Callable[..., float],
) -> None:
    """By the plain network, with the weights of the last evaluation; on the test part with those of the best."""
    keys = task_keys(loss, metric)
    run, task = train([0, 1], norm="batch", task=keys), task_of(**keys)
    for place in range(2):
        steps = run.rows(place)[:, 0].tolist()
        best = steps.index(run.trajectory.best_step[place])
        for state, part in ((run.states[-1], "validation"), (run.states[best], "test")):
            network = network_of(configure("batch"), task, seed=0)
            network.load_state_dict({name: stack[place] for name, stack in state.items()})
            outputs = network.eval()(getattr(task, f"{part}_inputs")).detach()
            labels = getattr(task, f"{part}_labels")
            value = expected_metric(metric, class_scores(outputs, loss=loss), labels, label_scale=task.label_scale)
            if part == "validation":
                expected = [of_torch(loss, outputs, labels), value]
                np.testing.assert_allclose(run.rows(place)[-1, 2:4], expected, rtol=1e-5)
            else:
                assert run.trajectory.test_metric[place] == pytest.approx(value, rel=1e-5)
    better = np.max if METRICS[metric].direction == "max" else np.min
    assert run.trajectory.best_metric.tolist() == [better(run.rows(place)[:, 3]) for place in range(2)]


@pytest.mark.parametrize(("loss", "metric"), WORKING)
def test_replica_is_evaluated_the_same_bit_for_bit_alone_and_in_a_stack(
    loss: str, metric: str, configure: Callable[..., Any], task_of: Callable[..., Task]
) -> None:
    task = task_of(**task_keys(loss, metric), rows=2 * EVALUATION_ROWS + 5)

    def measured(*seeds: int) -> list[list[float]]:
        replicas = Replicas([network_of(configure("layer"), task, seed=seed) for seed in seeds])
        return np.stack(evaluate(replicas, task.train_inputs, task.train_labels, task=task), axis=1).tolist()

    together = measured(0, 1, 2, 3, 4)
    assert np.isfinite(together).all()
    assert together == [measured(seed)[0] for seed in range(5)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("precision", ["32", "64"])
def test_replica_is_trained_the_same_bit_for_bit_alone_and_in_a_stack(
    loss: str, precision: str, train: Callable[..., Any], assert_same: Callable[..., None]
) -> None:
    options = {"norm": "batch", "task": task_keys(loss), "trainer__precision": precision, "budget__batch_size": 13}
    together = train([0, 1, 2, 3, 4], **options)
    for place in (0, 3):
        assert_same(train([place], **options).numbers(0), together.numbers(place))


@pytest.mark.parametrize("metric", [metric for metric, facts in METRICS.items() if facts.kind == "classification"])
def test_one_output_and_two_logits_are_measured_alike(
    metric: str, configure: Callable[..., Any], task_of: Callable[..., Task]
) -> None:
    """A network of one output, and one whose first logit is always 0."""
    one = task_of(**task_keys("binary", metric))
    two = task_of(outputs=2, metric=metric)
    network = network_of(configure("none"), one, seed=0)
    wide = network_of(configure("none"), two, seed=0)
    state = network.state_dict()
    for name in ("output.weight", "output.bias"):
        state[name] = torch.cat([torch.zeros_like(state[name]), state[name]])
    wide.load_state_dict(state)
    results = [
        evaluate(Replicas([each]), task.validation_inputs, task.validation_labels, task=task)
        for each, task in ((network, one), (wide, two))
    ]
    np.testing.assert_allclose(results[0].loss, results[1].loss, rtol=1e-6)
    np.testing.assert_allclose(results[0].metric, results[1].metric, rtol=1e-6)


def network_of(config: Any, task: Task, *, seed: int) -> torch.nn.Module:
    return build_network(
        vars(config.model),
        num_inputs=task.num_features,
        num_outputs=task.num_outputs,
        norm=choose_norm(config.norm),
        seed=seed,
    )
