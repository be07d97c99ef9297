"""What torchmetrics says each metric is: `ORACLES[metric](outputs, labels)`, outputs (rows, classes or 1) in float64.

Where torchmetrics averages over classes that do not occur as well, its numbers per class are averaged here.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics.functional import mean_absolute_error, mean_squared_error, r2_score
from torchmetrics.functional.classification import (
    binary_auroc,
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_f1_score,
)
from torchmetrics.functional.text import perplexity


def mean_of_classes_that_occur(by_class: Tensor, labels: Tensor) -> float:
    return by_class[labels.unique()].mean().item()


def accuracy(outputs: Tensor, labels: Tensor) -> float:
    return multiclass_accuracy(outputs, labels, num_classes=outputs.shape[1], average="micro").item()


def balanced_accuracy(outputs: Tensor, labels: Tensor) -> float:
    return mean_of_classes_that_occur(
        multiclass_accuracy(outputs, labels, num_classes=outputs.shape[1], average=None), labels
    )


def macro_f1(outputs: Tensor, labels: Tensor) -> float:
    return mean_of_classes_that_occur(
        multiclass_f1_score(outputs, labels, num_classes=outputs.shape[1], average=None), labels
    )


def auroc(outputs: Tensor, labels: Tensor) -> float:
    """Of ranks: a softmax makes ties of what is nearly sure, and breaks ties of equal probabilities by rounding."""
    classes = range(outputs.shape[1])
    rest = [outputs[:, [other for other in classes if other != each]].logsumexp(1) for each in classes]
    areas = []
    for each in labels.unique().tolist():
        scores = (outputs[:, each] - rest[each]).float()
        ranks = scores.unique(return_inverse=True)[1] / len(labels)
        areas.append(binary_auroc(ranks, (labels == each).long()))
    return torch.stack(areas).mean().item()


def nll(outputs: Tensor, labels: Tensor) -> float:
    return perplexity(outputs[None], labels[None]).log().item()


def ece(outputs: Tensor, labels: Tensor) -> float:
    return multiclass_calibration_error(
        outputs.softmax(1), labels, num_classes=outputs.shape[1], n_bins=15, norm="l1"
    ).item()


def rmse(outputs: Tensor, labels: Tensor) -> float:
    return mean_squared_error(outputs[:, 0], labels, squared=False).item()


def mae(outputs: Tensor, labels: Tensor) -> float:
    return mean_absolute_error(outputs[:, 0], labels).item()


def r2(outputs: Tensor, labels: Tensor) -> float:
    return r2_score(outputs[:, 0], labels).item()


ORACLES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "auroc": auroc,
    "macro_f1": macro_f1,
    "nll": nll,
    "ece": ece,
    "rmse": rmse,
    "mae": mae,
    "r2": r2,
}


def expected_metric(metric: str, outputs: Tensor, labels: Tensor, *, label_scale: float = 1.0) -> float:
    """The metric in the units of the labels, which were divided by `label_scale`."""
    if labels.is_floating_point():
        labels = labels.double()
    value = ORACLES[metric](outputs.double(), labels)
    return value * label_scale if metric in ("rmse", "mae") else value
