"""From a path to a table, by the ending of the file's name."""

from dataclasses import replace
from pathlib import Path

from bnbench.datasets.columns import table_from_frame
from bnbench.datasets.files.arrays import read_idx_pair, read_npy, read_npz
from bnbench.datasets.files.content import find_file
from bnbench.datasets.files.delimited import read_delimited
from bnbench.datasets.files.mapping import map_table
from bnbench.datasets.files.parquet import read_parquet
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Table
from bnbench.errors import UserError


def read_table(config: DatasetConfig) -> Table:
    """Return the table in the file `config.path`; raises UserError that names the file and what is wrong with it."""
    if config.path is None:
        raise UserError("dataset.path=null: name the file to read, e.g. dataset.path=homes.csv")
    path = find_file(config.path, checksum=config.checksum)
    ending = _ending(path)
    if ending not in READERS:
        raise UserError(
            f"dataset.path={config.path}: unknown ending '{path.suffix}'{_instead(path)}; expected "
            f"{', '.join(READERS)}, or one of {', '.join(GZIPPED)} with .gz"
        )
    if path.suffix == ".gz" and ending not in GZIPPED:
        raise UserError(f"dataset.path={config.path}: {ending} is not read from .gz; unpack it first")
    return map_table(path, ending, config) or READERS[ending](path, config)


def _ending(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith("-ubyte"):
        return ".idx"
    suffixes = Path(name).suffixes
    # homes.parquet.brotli: the codec is told by the file itself
    return ".parquet" if ".parquet" in suffixes else (suffixes or [""])[-1]


def _instead(path: Path) -> str:
    if path.suffix.lower() in (".pkl", ".pickle", ".joblib", ".pt", ".pth"):
        return " (a pickle, which runs code when it is read)"
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        return " (a spreadsheet: save it as CSV)"
    return ""


def _read_delimited(path: Path, config: DatasetConfig) -> Table:
    of_names = [*config.categorical_columns, *([config.target_column] if config.kind == "classification" else [])]
    frame, notes = read_delimited(path, target_column=config.target_column, names_columns=of_names)
    table = table_from_frame(frame, config)
    return replace(table, notes=(*notes, *table.notes))


def _read_parquet(path: Path, config: DatasetConfig) -> Table:
    return table_from_frame(read_parquet(path), config)


READERS = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".txt": _read_delimited,
    ".data": _read_delimited,
    ".parquet": _read_parquet,
    ".npz": read_npz,
    ".npy": read_npy,
    ".idx": read_idx_pair,
}
GZIPPED = (".csv", ".tsv", ".txt", ".data", ".npy", ".idx")
