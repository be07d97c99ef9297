"""A file of the user's own."""

from bnbench.datasets.files.read import read_table
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import SOURCES, Table


@SOURCES.register("file")
def file(config: DatasetConfig) -> Table:
    """Return the table in the file `config.path`: CSV, Parquet, NPZ, NPY or IDX."""
    return read_table(config)
