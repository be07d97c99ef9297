"""What a network is trained on and measured by, per replica."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bnbench.datasets import Task
from bnbench.training.replicas import Replicas

Loss = Callable[[Tensor, Tensor], Tensor]

# A fixed number: the rows of one product decide its rounding, so it must not follow the size of the stack.
EVALUATION_ROWS = 512


def row_losses(kind: str) -> Loss:
    """Return the function (..., outputs), labels (...) → loss of every row: cross-entropy in nats, or squared error."""
    return _cross_entropy if kind == "classification" else _squared_error


def _cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    flat = functional.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), labels.reshape(-1), reduction="none")
    return flat.view(labels.shape)


def _squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs.squeeze(-1) - labels).square()


class Evaluation(NamedTuple):
    """Mean loss and metric of each replica over a part of the data: accuracy in [0, 1], or RMSE in original units."""

    loss: Float[Tensor, " replicas"]
    metric: Float[Tensor, " replicas"]


def evaluation_parts(rows: int) -> list[slice]:
    """Return the parts in which so many rows are evaluated: EVALUATION_ROWS each, the last one shorter.

    A single row left over joins the part before it: a norm that takes the statistics of the rows it is given needs two.

    >>> [part.stop - part.start for part in evaluation_parts(1026)]
    [512, 512, 2]
    >>> [part.stop - part.start for part in evaluation_parts(1025)]
    [512, 513]
    """
    starts = list(range(0, rows, EVALUATION_ROWS))
    if len(starts) > 1 and rows - starts[-1] == 1:
        starts.pop()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], rows], strict=True)]


@torch.no_grad()
def evaluate(replicas: Replicas, inputs: Tensor, labels: Tensor, *, task: Task) -> Evaluation:
    """Return loss and metric of every replica on the rows given, in evaluation mode; sums in float64, on the CPU."""
    was_training = replicas.training
    replicas.eval()
    losses = torch.zeros(replicas.count, dtype=torch.float64)
    scores = torch.zeros(replicas.count, dtype=torch.float64)
    for part in evaluation_parts(len(inputs)):
        outputs = replicas(inputs[part])  # (replicas, rows, outputs)
        expected = labels[part].expand(replicas.count, -1)
        row_loss = row_losses(task.kind)(outputs, expected)
        losses += row_loss.double().sum(1).cpu()
        if task.kind == "classification":
            scores += (outputs.argmax(-1) == expected).double().sum(1).cpu()
        else:
            scores += row_loss.double().sum(1).cpu()
    replicas.train(was_training)
    mean_score = scores / len(inputs)
    metric = mean_score if task.kind == "classification" else mean_score.sqrt() * task.label_scale
    return Evaluation(losses / len(inputs), metric)
