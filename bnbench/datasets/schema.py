"""The keys of a data set's yaml, typed."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Targets:
    """The ladder of values that count as converged, where they come from, and of which metric and data set they are.

    `metric` null is `dataset.metric`, `dataset` null is `dataset.name`; where it is another one, the ladder is refused.
    """

    easy: float
    medium: float
    hard: float
    provenance: str
    metric: str | None = None
    dataset: str | None = None


@dataclass
class DatasetConfig:
    """One file of `conf/dataset/`, which lists the keys without a default and those it uses.

    What the rows are: `source` names what delivers them and `name` which of its data sets; `path` is a folder or file
    where the source reads one, `checksum` the SHA-256 that it must have, `openml_id` a number of OpenML's, `options`
    the arguments of a generator.
    What the columns are: `target_column` is a name, or a number from 0 (from the end where negative); `kind`
    (classification or regression) is told by the labels where it is null; `categorical_columns` are numbers to be read
    as names of categories.
    How the rows are split: `split` is auto, random, stratified, grouped, time or given, the last three by
    `split_column`. `validation_fraction` and `test_fraction` are shares of the rows that are not an official test
    part; `test_fraction` is null where there is one.
    How results are measured: `loss`, `metric` and `direction` follow the kind where they are null.
    `storage` (auto, memory, mapped) and `about` (description, source, licence, rows, features, ...) decide nothing.
    """

    name: str
    source: str
    preprocessing: str
    metric: str | None = None
    direction: str | None = None
    data_seed: int = 0
    validation_fraction: float = 0.2
    test_fraction: float | None = 0.2
    path: str | None = None
    targets: Targets | None = None
    about: dict[str, Any] = field(default_factory=dict)
    kind: str | None = None
    target_column: Any = None
    ignore_columns: list[str] = field(default_factory=list)
    categorical_columns: list[str] = field(default_factory=list)
    split: str = "auto"
    split_column: str | None = None
    loss: str | None = None
    storage: str = "auto"
    openml_id: int | None = None
    checksum: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
