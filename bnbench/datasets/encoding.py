"""Columns of numbers and categories as one matrix of numbers, by what the training part tells."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from bnbench.datasets.columns import listed
from bnbench.errors import UserError


@dataclass(frozen=True, eq=False)
class Encoding:
    """What is done to the rows of every part: `encode` returns (rows, features) in float64.

    `is_amount` tells the features that are numbers of the table; the others are 0 or 1: whether a number was missing,
    and one-hot categories.
    """

    encode: Callable[[pd.DataFrame], NDArray[np.float64]]
    feature_names: tuple[str, ...]
    is_amount: NDArray[np.bool_]
    notes: tuple[str, ...]


def fit_encoding(train: pd.DataFrame, *, name: str) -> tuple[Encoding, NDArray[np.float64]]:
    """Return the encoding of a table's columns, fitted on the rows of its training part, and those rows encoded.

    A missing number becomes the median, and where the training part has any, one more feature says that it was
    missing. A category becomes one feature each, "missing" being one of them; a category that the training part does
    not have is 0 in all. A column without a value in the training part is left out.
    """
    empty = [column for column in train if train[column].isna().all()]
    kept = [column for column in train if column not in empty]
    if not kept:
        raise UserError(f"data set '{name}': no column has a value in the training part")
    categories = [column for column in kept if isinstance(train[column].dtype, pd.CategoricalDtype)]
    numbers = [column for column in kept if column not in categories]
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    transformer = ColumnTransformer(
        [("numbers", imputer, numbers), ("categories", one_hot, categories)], sparse_threshold=0.0
    )
    encoded = transformer.fit_transform(_plain(train, categories))
    gaps = [column for column in numbers if train[column].isna().any()]
    names = [*numbers, *(f"{column} is missing" for column in gaps)]
    for column in categories:
        found = transformer.named_transformers_["categories"].categories_[categories.index(column)]
        names += [f"{column}={'(missing)' if pd.isna(value) else value}" for value in found]
    notes = [f"left out: {listed(empty)}, without any value in the training part"] if empty else []
    encoding = Encoding(
        encode=lambda rows: np.asarray(transformer.transform(_plain(rows, categories)), dtype=np.float64),
        feature_names=tuple(names),
        is_amount=np.arange(len(names)) < len(numbers),
        notes=tuple(notes),
    )
    return encoding, np.asarray(encoded, dtype=np.float64)


def _plain(rows: pd.DataFrame, categories: list[str]) -> pd.DataFrame:
    """Return categories as text with NaN where they are missing, which scikit-learn takes for a category of its own."""
    return rows.astype(dict.fromkeys(categories, object))
