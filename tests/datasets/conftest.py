"""Small tables and configurations that the tests of data sets share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bnbench.datasets import DatasetConfig
from bnbench.datasets.table import Table

MakeTable = Callable[..., Table]
MakeConfig = Callable[..., DatasetConfig]


@pytest.fixture
def classes() -> MakeTable:
    """Ill-conditioned rows whose labels go round through the classes; arguments change the table."""

    def make(*, num_rows: int = 60, num_classes: int = 3, **changes: Any) -> Table:
        generator = np.random.default_rng(0)
        values: dict[str, Any] = {
            "name": "small",
            "kind": "classification",
            "inputs": generator.normal(size=(num_rows, 4)) * [1e-3, 1.0, 1e3, 1.0] + [0.0, 5.0, -1e4, 0.0],
            "labels": np.arange(num_rows) % num_classes,
            "class_names": tuple("abcdefghij"[:num_classes]),
        }
        return Table(**(values | changes))

    return make


@pytest.fixture
def amounts() -> MakeTable:
    """Rows whose labels are large numbers; arguments change the table."""

    def make(*, num_rows: int = 60, **changes: Any) -> Table:
        inputs = np.random.default_rng(0).normal(size=(num_rows, 4))
        values: dict[str, Any] = {
            "name": "small",
            "kind": "regression",
            "inputs": inputs,
            "labels": 1e5 + 3e4 * inputs[:, 0],
        }
        return Table(**(values | changes))

    return make


@pytest.fixture
def configure() -> MakeConfig:
    """The configuration of a small table; arguments change it."""

    def make(**changes: Any) -> DatasetConfig:
        values: dict[str, Any] = {
            "name": "small",
            "source": "scikit_learn",
            "preprocessing": "standardize",
            "metric": "accuracy",
            "direction": "max",
        }
        return DatasetConfig(**(values | changes))

    return make
