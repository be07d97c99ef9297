"""What has to be known of a metric to rank, to judge and to print it; how it is measured is not needed for that."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MetricFacts:
    """A metric: for which kind of labels, which way is better, and what its numbers are.

    `in_label_units`: a length in the units of the labels. `in_per_cent`: shown so. `possible`: the values it can take.
    `trivial_is_poor`: always predicting what the training part says on average is bad by it; a replica that diverged
    counts as much.
    """

    kind: Literal["classification", "regression"]
    direction: Literal["max", "min"]
    in_label_units: bool = False
    in_per_cent: bool = False
    possible: tuple[float, float] = (0.0, 1.0)
    trivial_is_poor: bool = True

    def told(self, value: float) -> str:
        """Return a value as it is printed.

        >>> METRICS["accuracy"].told(0.9338), METRICS["rmse"].told(0.43)
        ('93.38 %', '0.43')
        """
        return f"{100 * value:.6g} %" if self.in_per_cent else f"{value:.6g}"


ABOVE_ZERO = (0.0, math.inf)
# the first of a kind is what dataset.metric=null means
METRICS: dict[str, MetricFacts] = {
    "accuracy": MetricFacts("classification", "max", in_per_cent=True),
    "balanced_accuracy": MetricFacts("classification", "max", in_per_cent=True),
    "auroc": MetricFacts("classification", "max"),
    "macro_f1": MetricFacts("classification", "max"),
    "nll": MetricFacts("classification", "min", possible=ABOVE_ZERO),
    # who always predicts the frequencies of the classes is calibrated, and knows nothing
    "ece": MetricFacts("classification", "min", trivial_is_poor=False),
    "rmse": MetricFacts("regression", "min", in_label_units=True, possible=ABOVE_ZERO),
    "mae": MetricFacts("regression", "min", in_label_units=True, possible=ABOVE_ZERO),
    "r2": MetricFacts("regression", "max", possible=(-math.inf, 1.0)),
}
# a record may come from a bnbench that knows more metrics
UNKNOWN = MetricFacts("regression", "min", possible=(-math.inf, math.inf))


def facts_of(metric: str) -> MetricFacts:
    """Return what is known of a metric; of one that is not ours only that its values are numbers."""
    return METRICS.get(metric, UNKNOWN)
