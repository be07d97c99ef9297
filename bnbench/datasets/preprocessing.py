"""Preprocessing of inputs: what is estimated is estimated on the training part only."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from bnbench.datasets.table import Table
from bnbench.errors import UserError
from bnbench.registry import Registry

Transform = Callable[[NDArray[np.floating]], NDArray[np.floating]]
# Takes the training inputs and the table they are from, and returns what is then done to every part.
Preprocessing = Callable[[NDArray[np.floating], Table], Transform]

PREPROCESSINGS: Registry[Preprocessing] = Registry("preprocessing")


@PREPROCESSINGS.register("none")
def none(train_inputs: NDArray[np.floating], table: Table) -> Transform:
    """x ↦ x: raw inputs, ill-conditioned where they are."""
    return lambda inputs: inputs


@PREPROCESSINGS.register("center")
def center(train_inputs: NDArray[np.floating], table: Table) -> Transform:
    """x ↦ x - mean, per feature."""
    return _transform_of(StandardScaler(with_std=False).fit(train_inputs))


@PREPROCESSINGS.register("standardize")
def standardize(train_inputs: NDArray[np.floating], table: Table) -> Transform:
    """x ↦ (x - mean) / standard deviation, per feature; a constant feature is only centred."""
    return _transform_of(StandardScaler().fit(train_inputs))


@PREPROCESSINGS.register("scale")
def scale(train_inputs: NDArray[np.floating], table: Table) -> Transform:
    """x ↦ x / maximum: images to [0, 1], by the largest value a pixel can have."""
    maximum = table.maximum
    if maximum is None:
        raise UserError(
            f"dataset.preprocessing=scale divides images by their largest possible value, which '{table.name}' does "
            "not have; expected none, center or standardize"
        )
    return lambda inputs: inputs / np.asarray(maximum, dtype=inputs.dtype)


def _transform_of(scaler: StandardScaler) -> Transform:
    def transform(inputs: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(scaler.transform(inputs))

    return transform
