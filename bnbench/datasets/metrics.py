"""Which metric a data set is judged by, whether it is defined there, and what knowing nothing scores by it."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.datasets.collectors import ROW_METRICS, make_collector
from bnbench.datasets.table import Kind
from bnbench.errors import UserError, nearest
from bnbench.metric_facts import METRICS as METRICS


def checked_metric(metric: str | None, direction: str | None, *, kind: Kind, name: str) -> tuple[str, str]:
    """Return metric and direction: those of the configuration, or the first metric of the kind of the labels."""
    fitting = [each for each, facts in METRICS.items() if facts.kind == kind]
    chosen = fitting[0] if metric is None else metric
    if chosen not in METRICS:
        raise UserError(f"dataset.metric={metric}: unknown metric; {nearest(chosen, METRICS)}")
    facts = METRICS[chosen]
    if facts.kind != kind:
        raise UserError(
            f"dataset.metric={metric} is for {facts.kind}, and '{name}' is {kind}; expected {', '.join(fitting)}"
        )
    if direction not in (facts.direction, None):
        raise UserError(
            f"dataset.direction={direction}: expected {facts.direction} for the metric {chosen}, or null, which "
            "follows it"
        )
    return chosen, facts.direction


def check_defined(
    metric: str, labels: Mapping[str, NDArray[np.generic]], *, class_names: Sequence[str], name: str
) -> None:
    """Raise UserError where the metric has no value on the labels of the validation or the test part."""
    if metric not in ("auroc", "r2"):
        return
    others = [each for each, facts in METRICS.items() if facts.kind == METRICS[metric].kind and each != metric]
    for part in ("validation", "test"):
        if (labels[part] == labels[part][0]).all():
            held = f"of class '{class_names[int(labels[part][0])]}'" if class_names else "equal"
            raise UserError(
                f"dataset.metric={metric} is not defined on the {part} part of '{name}': all "
                f"{len(labels[part])} labels there are {held}; split otherwise, or expected one of {', '.join(others)}"
            )


def trivial_value(
    metric: str, *, train_labels: NDArray[np.generic], labels: NDArray[np.generic], label_scale: float = 1.0
) -> float:
    """Return the metric, on `labels`, of always predicting what the training labels are on average.

    That is the frequencies of the classes, or the mean, which is 0 for labels standardised on the training part.
    """
    if METRICS[metric].kind == "classification":
        constant = np.log(np.bincount(train_labels) / len(train_labels))
        expected = torch.from_numpy(labels)[None]
    else:
        constant = np.zeros(1)
        expected = torch.from_numpy(labels.astype(np.float64))[None]
    outputs = torch.from_numpy(constant).expand(1, len(labels), -1)
    if metric in ROW_METRICS:
        # NumPy's mean: older records hold its last bit
        mean = np.mean(ROW_METRICS[metric].of_rows(outputs, expected).numpy())
        return float(ROW_METRICS[metric].of_mean(torch.tensor(mean), label_scale))
    collector = make_collector(metric, label_scale=label_scale)
    collector.add(outputs, expected)
    return float(collector.values())
