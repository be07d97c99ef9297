"""The keys of a data set's yaml, typed."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Targets:
    """The ladder of metric values that count as converged, and where they come from."""

    easy: float
    medium: float
    hard: float
    provenance: str


@dataclass
class DatasetConfig:
    """One file of `conf/dataset/`.

    `source` names what delivers the rows and `name` which of its data sets. `validation_fraction` and `test_fraction`
    are shares of the rows that are not an official test part; `test_fraction` is null where there is one. `path` is a
    folder or file where the source reads one. `about` (description, source, licence, rows, features, ...) decides
    nothing.
    """

    name: str
    source: str
    preprocessing: str
    metric: str
    direction: str
    data_seed: int = 0
    validation_fraction: float = 0.2
    test_fraction: float | None = 0.2
    path: str | None = None
    targets: Targets | None = None
    about: dict[str, Any] = field(default_factory=dict)
