"""Data sets that scikit-learn ships, which need no file and no network, and those it fetches."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import pandas as pd
from sklearn.datasets import (
    fetch_california_housing,
    fetch_covtype,
    get_data_home,
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
)

from bnbench.datasets.columns import table_from_frame
from bnbench.datasets.data_folder import check_rows, read_kept
from bnbench.datasets.files.read import read_table
from bnbench.datasets.obtain import how_to_obtain
from bnbench.datasets.packages import PACKAGED
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import SOURCES, Kind, Table
from bnbench.errors import UserError, nearest


@dataclass(frozen=True)
class Embedded:
    """A loader of scikit-learn, and what its rows do not say of themselves."""

    loader: Callable[[], Any]
    kind: Kind
    maximum: float | None = None


def _raw_diabetes() -> Any:
    """Return the rows in their own units; scikit-learn's scaled ones know the mean of all parts."""
    return load_diabetes(scaled=False)


EMBEDDED = {
    "digits": Embedded(load_digits, "classification", maximum=16.0),
    "breast_cancer": Embedded(load_breast_cancer, "classification"),
    "wine": Embedded(load_wine, "classification"),
    "diabetes": Embedded(_raw_diabetes, "regression"),
}
FETCHED: dict[str, Callable[..., Any]] = {"california": fetch_california_housing, "covertype": fetch_covtype}


@SOURCES.register("scikit_learn")
def scikit_learn(config: DatasetConfig) -> Table:
    """Return the rows of the data set `config.name`.

    A fetched one is read from `config.path` where that is set; else from the data folder where it was fetched from a
    package; else by scikit-learn, from its cache or the network. Raises UserError when it is nowhere.
    """
    if config.name in FETCHED:
        return _fetched(config)
    if config.name not in EMBEDDED:
        raise UserError(
            f"dataset.name={config.name} does not ship with scikit-learn; {nearest(config.name, [*EMBEDDED, *FETCHED])}"
        )
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


def _fetched(config: DatasetConfig) -> Table:
    if config.path is not None:
        return check_rows(read_table(config), config)
    frame = read_kept(config.name) if config.name in PACKAGED else None
    if frame is None:
        frame = _fetch(config.name)
    return check_rows(table_from_frame(frame, config), config)


def _fetch(name: str) -> pd.DataFrame:
    home = get_data_home()
    try:
        with warnings.catch_warnings():
            # scikit-learn warns before it tries again; if that fails too, the error below says it all
            warnings.filterwarnings("ignore", message="Retry downloading")
            return FETCHED[name](as_frame=True, n_retries=1, delay=0.1).frame
    except (OSError, HTTPException) as error:
        raise UserError(
            f"'{name}' is not in scikit-learn's folder {home} and cannot be downloaded ({error}): {how_to_obtain(name)}"
        ) from error
    except Exception as error:  # its files are pickles: what a damaged one raises is anything
        raise UserError(
            f"scikit-learn's file of '{name}' in {home} is cut off or damaged ({type(error).__name__}: {error}): "
            f"delete it, and {how_to_obtain(name)}"
        ) from error
