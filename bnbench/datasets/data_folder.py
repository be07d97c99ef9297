"""The folder of data sets that `python -m bnbench.fetch` fills: one Parquet file each, outside every repository."""

import os
import tempfile
from pathlib import Path

import pandas as pd

from bnbench.datasets.files.parquet import read_parquet
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Table
from bnbench.errors import UserError

VARIABLE = "BNBENCH_DATA"


def data_folder() -> Path:
    """Return the folder that the environment variable BNBENCH_DATA names, else ~/.cache/bnbench."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/bnbench").expanduser()


def kept_file(name: str) -> Path:
    """Return where a data set is kept, there or not."""
    return data_folder() / f"{name}.parquet"


def read_kept(name: str) -> pd.DataFrame | None:
    """Return the columns of a data set that was fetched, or None where it was not."""
    file = kept_file(name)
    if not file.exists():
        return None
    try:
        return read_parquet(file)
    except UserError as error:
        raise UserError(f"{error}: delete it, then `python -m bnbench.fetch {name}`") from error


def make_data_folder() -> None:
    """Make the folder where it is not there; raises UserError where nothing can be written to it."""
    folder = data_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"the data folder {folder} cannot be written ({error.strerror}); the environment variable {VARIABLE} names "
            "another"
        ) from error


def write_kept(name: str, frame: pd.DataFrame) -> Path:
    """Keep the columns of a data set; whoever reads meanwhile finds the old file or the new one, whole.

    Raises UserError where it cannot be written.
    """
    make_data_folder()
    file = kept_file(name)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        frame.to_parquet(unfinished, index=False)
        unfinished.replace(file)
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror or error}); nothing was kept") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return file


def check_rows(table: Table, config: DatasetConfig) -> Table:
    """Return the table; raises UserError where `config.about` says that the data set has another number of rows.

    A part of a data set is another data set, whose results compare with none.
    """
    expected = config.about.get("rows")
    if isinstance(expected, int) and len(table.labels) != expected:
        raise UserError(
            f"dataset={config.name} has {expected:,} rows, found {len(table.labels):,}: another data set, or a part of "
            "it; dataset=file reads any"
        )
    return table
