"""Preprocessing of inputs: what is estimated is estimated on the training part only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from bnbench.errors import UserError
from bnbench.registry import Registry

MOST_QUANTILES = 1000


@dataclass(frozen=True, eq=False)
class Features:
    """What a preprocessing may know of the features beside the training rows.

    `is_amount` tells the numbers of the table from features that are 0 or 1 by encoding; None where all are numbers.
    `maximum` is the largest value an input can take, where that is known.
    """

    data_name: str
    data_seed: int = 0
    maximum: float | None = None
    is_amount: NDArray[np.bool_] | None = None


Transform = Callable[[NDArray[np.floating]], NDArray[np.floating]]
# Takes the training inputs and what is known of their features, and returns what is then done to every part.
Preprocessing = Callable[[NDArray[np.floating], Features], Transform]

PREPROCESSINGS: Registry[Preprocessing] = Registry("preprocessing")


@PREPROCESSINGS.register("none")
def none(train_inputs: NDArray[np.floating], features: Features) -> Transform:
    """x ↦ x: raw inputs, ill-conditioned where they are."""
    return lambda inputs: inputs


@PREPROCESSINGS.register("center")
def center(train_inputs: NDArray[np.floating], features: Features) -> Transform:
    """x ↦ x - mean, per feature."""
    scaler = StandardScaler(with_std=False).fit(train_inputs)
    return lambda inputs: np.asarray(scaler.transform(inputs))


@PREPROCESSINGS.register("standardize")
def standardize(train_inputs: NDArray[np.floating], features: Features) -> Transform:
    """x ↦ (x - mean) / standard deviation, per number; a constant one is only centred, encoded features stay 0 or 1."""
    return _on_amounts(StandardScaler(), train_inputs, features)


@PREPROCESSINGS.register("quantile")
def quantile(train_inputs: NDArray[np.floating], features: Features) -> Transform:
    """x ↦ Φ⁻¹(share of the training rows below x), per number: normal whatever it was; encoded features stay 0 or 1.

    The shares are read off at 1,000 quantiles, or as many as there are training rows.
    """
    transformer = QuantileTransformer(
        n_quantiles=min(MOST_QUANTILES, len(train_inputs)),
        output_distribution="normal",
        random_state=features.data_seed,  # it looks at a part of the rows where they are many
    )
    return _on_amounts(transformer, train_inputs, features)


@PREPROCESSINGS.register("whiten")
def whiten(train_inputs: NDArray[np.floating], features: Features) -> Transform:
    """x ↦ principal components of x - mean over their standard deviations, those without variance left out.

    On the training part their covariance is the identity. As many features are left as are linearly independent. Each
    component's largest coefficient is positive, as scikit-learn's PCA(whiten=True) has it, whose numbers these are.
    """
    mean = train_inputs.mean(axis=0, dtype=np.float64)
    # what a constant leaves of itself beside its rounded mean is no variance
    centred = np.where((train_inputs == train_inputs[:1]).all(axis=0), 0.0, train_inputs - mean)
    # One thread: how products are cut among threads decides their last bits, and so the checksum of the data.
    with threadpool_limits(1, user_api="blas"):
        # Not by the covariance, whose condition number is the square of that of the inputs; and by the small factor
        # of a QR decomposition, since the large factors of the inputs themselves are not needed.
        _, spread, components = np.linalg.svd(np.linalg.qr(centred, mode="r"), full_matrices=False)
    kept = spread > _rounding_of(train_inputs, mean, spread)
    if not kept.any():
        raise UserError(
            f"dataset.preprocessing=whiten: all training rows of '{features.data_name}' are equal, so no component is "
            "left; expected none or center"
        )
    components, spread = components[kept], spread[kept] / np.sqrt(len(train_inputs) - 1)
    largest = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    directions = (components * np.sign(largest)[:, None]).T / spread

    def transform(inputs: NDArray[np.floating]) -> NDArray[np.floating]:
        with threadpool_limits(1, user_api="blas"):
            return (inputs - mean) @ directions

    return transform


def _rounding_of(train_inputs: NDArray[np.floating], mean: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
    """Return the singular value that rounding alone gives: of the decomposition, and of inputs far from zero."""
    of_decomposition = spread.max(initial=0.0) * max(train_inputs.shape)
    of_inputs = 4 * np.abs(mean).max() * np.sqrt(len(train_inputs))
    return float(np.finfo(np.float64).eps * max(of_decomposition, of_inputs))


@PREPROCESSINGS.register("scale")
def scale(train_inputs: NDArray[np.floating], features: Features) -> Transform:
    """x ↦ x / maximum: images to [0, 1], by the largest value a pixel can have."""
    maximum = features.maximum
    if maximum is None:
        raise UserError(
            f"dataset.preprocessing=scale divides images by their largest possible value, which "
            f"'{features.data_name}' does not have; expected none, center, standardize, quantile or whiten"
        )
    return lambda inputs: inputs / np.asarray(maximum, dtype=inputs.dtype)


def _on_amounts(
    transformer: StandardScaler | QuantileTransformer, train_inputs: NDArray[np.floating], features: Features
) -> Transform:
    """Return a transformer of scikit-learn, applied to the numbers of the table."""
    chosen = features.is_amount
    if chosen is None or chosen.all():
        transformer.fit(train_inputs)
        return lambda inputs: np.asarray(transformer.transform(inputs))
    if not chosen.any():
        return lambda inputs: inputs
    transformer.fit(train_inputs[:, chosen])

    def transform(inputs: NDArray[np.floating]) -> NDArray[np.floating]:
        outputs = inputs.copy()
        outputs[:, chosen] = transformer.transform(inputs[:, chosen])
        return outputs

    return transform
