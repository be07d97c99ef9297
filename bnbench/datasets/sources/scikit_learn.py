"""Data sets that scikit-learn ships: they need no file and no network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.datasets import load_breast_cancer, load_digits

from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import SOURCES, Kind, Table
from bnbench.errors import UserError, nearest


@dataclass(frozen=True)
class Embedded:
    """A loader of scikit-learn, and what its rows do not say of themselves."""

    loader: Callable[[], Any]
    kind: Kind
    maximum: float | None = None


EMBEDDED = {
    "digits": Embedded(load_digits, "classification", maximum=16.0),
    "breast_cancer": Embedded(load_breast_cancer, "classification"),
}


@SOURCES.register("scikit_learn")
def scikit_learn(config: DatasetConfig) -> Table:
    """Return the rows of the data set `config.name`."""
    if config.name not in EMBEDDED:
        raise UserError(f"dataset.name={config.name} does not ship with scikit-learn; {nearest(config.name, EMBEDDED)}")
    if config.path is not None:
        raise UserError(
            f"dataset.path={config.path}: '{config.name}' ships with scikit-learn and reads no file; expected null"
        )
    embedded = EMBEDDED[config.name]
    bunch = embedded.loader()
    return Table(
        name=config.name,
        kind=embedded.kind,
        inputs=bunch.data,
        labels=bunch.target,
        class_names=tuple(str(name) for name in bunch.target_names) if embedded.kind == "classification" else (),
        maximum=embedded.maximum,
        feature_names=tuple(bunch.feature_names),
    )
