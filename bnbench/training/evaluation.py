"""What a network is measured by, per replica."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.datasets import Task
from bnbench.datasets.collectors import make_collector
from bnbench.datasets.row_errors import class_scores
from bnbench.training.losses import row_losses
from bnbench.training.replicas import Replicas
from bnbench.training.task_tensors import HostRows

# A fixed number: the rows of one product decide its rounding, so it must not follow the size of the stack.
EVALUATION_ROWS = 512


class Evaluation(NamedTuple):
    """Mean loss and metric of each replica over a part of the data."""

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
def evaluate(replicas: Replicas, inputs: Tensor | HostRows, labels: Tensor, *, task: Task) -> Evaluation:
    """Return loss and metric of every replica on the rows given, in evaluation mode; sums in float64, on the CPU."""
    was_training = replicas.training
    replicas.eval()
    loss_of_rows = row_losses(task.loss)
    losses = torch.zeros(replicas.count, dtype=torch.float64)
    collector = make_collector(task.metric_name, label_scale=task.label_scale)
    for part in evaluation_parts(len(inputs)):
        outputs = replicas(inputs[part])  # (replicas, rows, outputs)
        expected = labels[part].expand(replicas.count, -1)
        losses += loss_of_rows(outputs, expected).double().sum(1).cpu()
        collector.add(class_scores(outputs, loss=task.loss), expected)
    replicas.train(was_training)
    return Evaluation(losses / len(inputs), collector.values())
