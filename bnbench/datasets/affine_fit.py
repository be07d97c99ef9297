"""Preprocessing of rows that stay in their file: fitted in blocks, bit for bit as scikit-learn fits it in memory."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from bnbench.datasets.mapped import Affine, MappedRows, floating_dtype, read_ahead
from bnbench.datasets.preprocessing import Features, scale

# those that are a shift and a scale per feature
AFFINE_PREPROCESSINGS = ("none", "center", "standardize", "scale")

Block = NDArray[np.float64]


def fit_affine(train: MappedRows, preprocessing: str, features: Features) -> Affine:
    """Return the transform that `preprocessing` is for these training rows.

    Means and variances are those of `StandardScaler` bit for bit: sums in float64 down the rows, one after the other,
    the variance in a second pass with its correction. So a data set is the same wherever its rows lie.
    """
    dtype = floating_dtype(train.array.dtype)
    if preprocessing == "none":
        return Affine()
    if preprocessing == "scale":
        scale(np.empty((0, 0)), features)  # raises UserError where there is no maximum
        return Affine(scale=np.asarray(features.maximum, dtype=dtype))
    if train.shape[1] == 1:
        # the sum of a single column is taken in another order, and a column fits into memory
        scaler = StandardScaler(with_std=preprocessing == "standardize").fit(train.floating(slice(None)))
        mean, deviation = scaler.mean_, scaler.scale_
    else:
        mean, deviation = _mean_and_scale(train, with_scale=preprocessing == "standardize")
    return Affine(mean.astype(dtype), None if deviation is None else deviation.astype(dtype))


def _mean_and_scale(train: MappedRows, *, with_scale: bool) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    rows = len(train)
    (total,) = _column_sums(train, lambda block: (block,))
    mean = total / rows
    if not with_scale:
        return mean, None

    def deviations(block: Block) -> tuple[Block, Block]:
        block -= mean
        return block, np.square(block)

    correction, squares = _column_sums(train, deviations)
    variance = (squares - correction**2 / rows) / rows
    # what rounding alone would leave of the variance of a constant feature, as scikit-learn has it
    epsilon = np.finfo(np.float64).eps
    is_constant = variance <= rows * epsilon * variance + (rows * mean * epsilon) ** 2
    return mean, np.where(is_constant, 1.0, np.sqrt(variance))


def _column_sums(train: MappedRows, of: Callable[[Block], tuple[Block, ...]]) -> list[NDArray[np.float64]]:
    """Return the sums down the rows of what `of` makes of each block, added in the order of the rows."""
    sums: list[NDArray[np.float64]] = []
    for block in read_ahead(lambda part: train.floating(part).astype(np.float64), train.slices()):
        summands = of(block)
        for place, values in enumerate(summands):
            if len(sums) == len(summands):
                values[0] += sums[place]  # first, so that the rows go on being added one after the other
                sums[place] = np.add.reduce(values, axis=0)
            else:
                sums.append(np.add.reduce(values, axis=0))
    return sums
