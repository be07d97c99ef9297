"""How each metric is measured over a part of the data, for all replicas, from outputs that come a few rows at a time.

Every value is computed in float64 from numbers that depend on the replica alone, so that it is the same bit for bit
whatever the replica was evaluated beside. A replica whose outputs are not numbers has a value that is none, or, where
only the largest output counts, whatever that output says.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor

from bnbench.datasets.row_errors import absolute_error, cross_entropy, is_right, squared_error

ECE_BINS = 15

Outputs = Float[Tensor, "replicas rows outputs"]
Labels = Shaped[Tensor, "replicas rows"]
Values = Float[Tensor, " replicas"]


class Collector(Protocol):
    """Takes in the rows of a part of the data and says at the end what the metric of each replica is."""

    def add(self, outputs: Outputs, labels: Labels) -> None:
        """Take some rows: logits of all classes or a prediction, and the labels, the same for all replicas."""

    def values(self) -> Values:
        """Return the metric of every replica over all rows taken: (replicas,) float64 on the CPU."""


class RowMetric(NamedTuple):
    """A metric that is a function of a mean over rows: `of_mean(mean, label_scale)`."""

    of_rows: Callable[[Tensor, Tensor], Tensor]
    of_mean: Callable[[Tensor, float], Tensor]


ROW_METRICS: dict[str, RowMetric] = {
    "accuracy": RowMetric(is_right, lambda mean, _: mean),
    "nll": RowMetric(cross_entropy, lambda mean, _: mean),
    "rmse": RowMetric(squared_error, lambda mean, label_scale: mean.sqrt() * label_scale),
    "mae": RowMetric(absolute_error, lambda mean, label_scale: mean * label_scale),
}


class MeanOfRows:
    """Collects the sum of a number per row."""

    def __init__(self, metric: RowMetric, *, label_scale: float) -> None:
        self._metric = metric
        self._label_scale = label_scale
        self._sums: Tensor | float = 0.0
        self._rows = 0

    def add(self, outputs: Outputs, labels: Labels) -> None:
        """Add the rows' numbers to the sums."""
        self._sums = self._sums + self._metric.of_rows(outputs, labels).double().sum(1).cpu()
        self._rows += labels.shape[1]

    def values(self) -> Values:
        """Return what the mean comes to."""
        return self._metric.of_mean(torch.as_tensor(self._sums) / self._rows, self._label_scale)


class ClassCounts:
    """Counts, per class, the rows of it, those predicted as it, and those that are both.

    `of_counts` makes of them one number per class; the metric is its mean over the classes that occur among the labels.
    """

    def __init__(self, of_counts: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        self._of_counts = of_counts
        self._counts: Tensor | int = 0  # (3, replicas, classes): right, predicted, labelled

    def add(self, outputs: Outputs, labels: Labels) -> None:
        """Add the rows to the counts."""
        replicas, _, classes = outputs.shape
        places = torch.arange(replicas)[:, None] * classes
        expected, predicted = labels.cpu(), outputs.argmax(-1).cpu()
        counts = [
            torch.bincount(chosen.flatten(), minlength=replicas * classes).view(replicas, classes)
            for chosen in ((places + predicted)[predicted == expected], places + predicted, places + expected)
        ]
        self._counts = self._counts + torch.stack(counts)

    def values(self) -> Values:
        """Return the mean over the classes that occur."""
        right, predicted, labelled = torch.as_tensor(self._counts).double()
        occurs = labelled[0] > 0
        return self._of_counts(right, predicted, labelled)[:, occurs].contiguous().mean(1)


class CalibrationBins:
    """Expected calibration error (arXiv:1706.04599): Σ over bins of (rows in it / rows) · |accuracy - mean confidence|.

    The confidence of a row is its largest probability. The bins are 15 equal parts of [0, 1], each with its lower edge
    and without its upper one, but for the last, which has both.
    """

    def __init__(self) -> None:
        self._gaps: Tensor | float = 0.0  # (replicas, bins): Σ right - Σ confidence
        self._rows = 0
        self._edges = torch.linspace(0, 1, ECE_BINS + 1, dtype=torch.float64)[1:-1]

    def add(self, outputs: Outputs, labels: Labels) -> None:
        """Add the rows to the bins."""
        confidence, predicted = outputs.double().softmax(-1).max(-1)
        confidence, right = confidence.cpu(), (predicted == labels).double().cpu()
        replicas = len(confidence)
        bins = torch.arange(replicas)[:, None] * ECE_BINS + torch.bucketize(confidence, self._edges, right=True)
        gaps = torch.bincount(bins.flatten(), weights=(right - confidence).flatten(), minlength=replicas * ECE_BINS)
        self._gaps = self._gaps + gaps.view(replicas, ECE_BINS)
        self._rows += labels.shape[1]

    def values(self) -> Values:
        """Return the weighted mean of the gaps."""
        return torch.as_tensor(self._gaps).abs().sum(1) / self._rows


class ExplainedVariance:
    """R² = 1 - Σ (prediction - label)² / Σ (label - mean label)², the mean being that of the rows measured."""

    def __init__(self) -> None:
        self._residuals: Tensor | float = 0.0
        self._labels: list[Tensor] = []

    def add(self, outputs: Outputs, labels: Labels) -> None:
        """Add the rows to the sums."""
        self._residuals = self._residuals + squared_error(outputs.double(), labels.double()).sum(1).cpu()
        self._labels.append(labels[0].double().cpu())

    def values(self) -> Values:
        """Return the share of the labels' variance that is explained."""
        labels = torch.cat(self._labels)
        return 1 - torch.as_tensor(self._residuals) / (labels - labels.mean()).square().sum()


class RankedScores:
    """Area under the ROC curve: the share of pairs, a row of the class and one of another, that are scored in order.

    Equal scores count half. With more than two classes it is the mean over the classes that occur, each against the
    rest. All scores are kept until the end: (replicas, rows, classes) in float32, one column where there are two
    classes. They are ranked for one replica and class after the other.
    """

    def __init__(self) -> None:
        self._scores: list[NDArray[Any]] = []
        self._labels: list[NDArray[Any]] = []

    def add(self, outputs: Outputs, labels: Labels) -> None:
        """Keep the scores of the rows."""
        # computed in float64 and compared in float32: rounding can then not part what is equal
        self._scores.append(log_odds(outputs.double()).float().cpu().numpy())
        self._labels.append(labels[0].cpu().numpy())

    def values(self) -> Values:
        """Return the mean area over the classes that occur."""
        labels = np.concatenate(self._labels)
        columns = self._scores[0].shape[2]
        # the one column of two classes is the score of the second
        members = [labels == (1 if columns == 1 else column) for column in range(columns)]
        means = []
        for replica in range(len(self._scores[0])):
            scores = np.concatenate([part[replica] for part in self._scores])
            areas = [
                area_under_roc(scores[is_member, column], scores[~is_member, column])
                for column, is_member in enumerate(members)
                if is_member.any()
            ]
            means.append(np.mean(areas))
        return torch.tensor(np.array(means))


def log_odds(outputs: Outputs) -> Float[Tensor, "replicas rows columns"]:
    """Return log p/(1-p) for the probability p of every class, or of the second one where there are two.

    They order rows as the probabilities do, but where those are rounded to 1 they still differ.
    """
    if outputs.shape[-1] == 2:
        return outputs[..., 1:] - outputs[..., :1]
    largest, winner = outputs.max(-1, keepdim=True)
    shifted = outputs - largest
    others = shifted.exp().scatter(-1, winner, 0.0)
    rest = others.sum(-1, keepdim=True)
    # of any class but the winner: log e^s/(1 + rest - e^s); of the winner, whose e^s is 1: -log rest
    return (shifted - (rest - others + 1).log()).scatter(-1, winner, -rest.log())


def area_under_roc(of_class: NDArray[Any], of_others: NDArray[Any]) -> float:
    """Return the share of pairs in which the score of the class is the larger, equal ones counting half.

    >>> area_under_roc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
    0.875
    """
    pairs = len(of_class) * len(of_others)
    if not pairs or np.isnan(of_class).any() or np.isnan(of_others).any():
        return float("nan")
    ordered, asked = np.sort(of_others), np.sort(of_class)
    # whole numbers, so that the sum is exact
    twice = np.searchsorted(ordered, asked, "left").sum() + np.searchsorted(ordered, asked, "right").sum()
    return float(twice / (2 * pairs))


def scores_kept(metric: str, *, rows: int, outputs: int) -> int:
    """Return how many numbers per replica stay in memory until the metric of so many rows is known."""
    if metric != "auroc":
        return 0
    return rows * (outputs if outputs > 2 else 1)


def make_collector(metric: str, *, label_scale: float = 1.0) -> Collector:
    """Return what measures a metric; `label_scale` is the standard deviation that labels were divided by."""
    if metric in ROW_METRICS:
        return MeanOfRows(ROW_METRICS[metric], label_scale=label_scale)
    return _COLLECTORS[metric]()


def _recall(right: Tensor, predicted: Tensor, labelled: Tensor) -> Tensor:
    return right / labelled


def _f1(right: Tensor, predicted: Tensor, labelled: Tensor) -> Tensor:
    return 2 * right / (predicted + labelled)


_COLLECTORS: dict[str, Callable[[], Collector]] = {
    "balanced_accuracy": lambda: ClassCounts(_recall),
    "macro_f1": lambda: ClassCounts(_f1),
    "ece": CalibrationBins,
    "r2": ExplainedVariance,
    "auroc": RankedScores,
}
