"""The three parts of a data set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RowNumbers = NDArray[np.intp]
PARTS = ("train", "validation", "test")
# as they are called in messages
PART_NAMES = {"train": "training", "validation": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of the three parts, each ascending: disjoint, and together all rows; `rule` says in words how."""

    train: RowNumbers
    validation: RowNumbers
    test: RowNumbers
    rule: str = ""
