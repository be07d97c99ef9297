"""A part drawn at random with equal shares of every class, as scikit-learn draws it, for millions of rows."""

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import _approximate_mode

from bnbench.datasets.parts import RowNumbers

# indices below it are sorted digit by digit, in a tenth of the time
MOST_SORTED_BY_DIGITS = np.iinfo(np.uint16).max


def draw_stratified(
    labels: NDArray[np.integer], *, num_rows: int, generator: np.random.RandomState, in_order_drawn: bool = True
) -> tuple[RowNumbers, RowNumbers]:
    """Return the places of the labels that are left and of those drawn, in the order and by the draws of
    `sklearn.model_selection.train_test_split(..., stratify=labels)`.

    That takes 4 seconds for 5 million rows, as it collects row numbers in Python's lists; the numbers are the same.
    Every class has at least two rows, and both parts a row for each. Where nothing is drawn after this and the order
    does not matter, `in_order_drawn=False` spares a third of the time.
    """
    counts = np.bincount(labels)
    narrow = np.uint16 if len(counts) <= MOST_SORTED_BY_DIGITS else np.int64
    by_class = np.argsort(labels.astype(narrow), kind="stable")
    counts = counts[counts > 0]
    num_left = _approximate_mode(counts, len(labels) - num_rows, generator)
    # the second choice leaves nothing open, but scikit-learn makes it and may draw for it
    _approximate_mode(counts - num_left, num_rows, generator)
    left, drawn = [], []
    for rows, kept in zip(np.split(by_class, np.cumsum(counts)[:-1]), num_left, strict=True):
        shuffled = rows[generator.permutation(len(rows))]
        left.append(shuffled[:kept])
        drawn.append(shuffled[kept:])
    parts = np.concatenate(left), np.concatenate(drawn)
    if not in_order_drawn:
        return parts
    return generator.permutation(parts[0]), generator.permutation(parts[1])
