"""OpenML, through scikit-learn's fetch_openml and its cache, unless a package brought the data set."""

import warnings
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.datasets import fetch_openml, get_data_home

from bnbench.datasets.columns import table_from_frame
from bnbench.datasets.data_folder import check_rows, read_kept
from bnbench.datasets.files.read import read_table
from bnbench.datasets.obtain import how_to_obtain
from bnbench.datasets.open_ml_cache import view_of_cache
from bnbench.datasets.packages import PACKAGED
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import SOURCES, Table
from bnbench.errors import UserError

# the fast one first; it stumbles over some quotes, which the other, ten times slower, reads
PARSERS = ("pandas", "liac-arff")
ANY_VERSION = "active"  # the one that OpenML keeps up
NETWORK_ERRORS = (OSError, HTTPException)


@SOURCES.register("open_ml")
def open_ml(config: DatasetConfig) -> Table:
    """Return the table of the data set `config.openml_id`, or of that name (and `options.version`).

    It is read from `config.path` where that is set; else from the data folder where it was fetched from a package;
    else from scikit-learn's cache of OpenML, or OpenML itself. The column to predict is OpenML's own where
    `config.target_column` is null. Raises UserError when it is nowhere, and for what cannot be read.
    """
    if config.path is not None:
        return check_rows(read_table(config), config)
    frame = read_kept(config.name) if config.name in PACKAGED else None
    if frame is None:
        frame, target = fetch_frame(config)
        config = config if config.target_column is not None else replace(config, target_column=target)
    return check_rows(table_from_frame(frame, config), config)


def fetch_frame(config: DatasetConfig) -> tuple[pd.DataFrame, str | None]:
    """Return all columns of a data set of OpenML's, and the name of the one that OpenML predicts."""
    said, wanted = _wanted(config)
    home = Path(get_data_home())
    failures: list[str] = []
    for parser in PARSERS:
        with view_of_cache(home) as view:
            try:
                bunch = _fetch(wanted, home=view.home, parser=parser)
            except NETWORK_ERRORS as error:
                if not view.rejected():
                    raise _unreachable(config, said, home, error) from error
                failures.append(f"{', '.join(map(str, view.rejected()))} cannot be read")
            except Exception as error:  # whatever parsing raises: TypeError and KeyError were seen, too
                said_by_it = f"{type(error).__name__}: {error}".replace(str(view.home), str(home))
                failures.append(said_by_it.splitlines()[0].rstrip(". "))
            else:
                view.keep_downloads()
                return bunch.frame, bunch.details.get("default_target_attribute")
    raise UserError(
        f"{said} cannot be read: {failures[-1]}; a cached file that is cut off or damaged is to be deleted and fetched "
        "again with a network connection (nothing was deleted)"
    )


def _wanted(config: DatasetConfig) -> tuple[str, dict[str, Any]]:
    if unknown := sorted(set(config.options) - {"version"}):
        raise UserError(f"dataset.options.{unknown[0]} is no option of OpenML's data sets; expected version, or none")
    version = config.options.get("version", ANY_VERSION)
    if config.openml_id is not None:
        if version != ANY_VERSION:
            raise UserError("dataset.options.version has no effect beside dataset.openml_id, which has one version")
        return f"OpenML's data set {config.openml_id} ({config.name})", {"data_id": config.openml_id}
    if config.name == "auto":
        raise UserError("dataset.openml_id=null: give the number of a data set of OpenML's, or its dataset.name")
    return f"OpenML's data set '{config.name}'", {"name": config.name, "version": version}


def _fetch(wanted: dict[str, Any], *, home: Path, parser: str) -> Any:
    with warnings.catch_warnings():
        # scikit-learn warns before it tries again, and of several versions; if it fails, the error says it all
        warnings.simplefilter("ignore")
        # one retry: without a network the answer is as certain then as after the third
        return fetch_openml(
            **wanted,
            data_home=str(home),
            target_column=None,
            as_frame=True,
            parser=parser,
            n_retries=1,
            delay=0.1,
        )


def _unreachable(config: DatasetConfig, said: str, home: Path, error: Exception) -> UserError:
    return UserError(
        f"{said} is not in the cache {home / 'openml'} and OpenML cannot be reached ({error}): "
        f"{how_to_obtain(config.name)}"
    )
