"""The history of a run: one row per (seed, evaluation), as Parquet columns and as NumPy arrays."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bnbench.records import sums
from bnbench.records.layout import HISTORY_FILE

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MAX_ROWS = 50_000_000
"""A history of more rows is refused unread: 3 GB in memory, and a few hostile kilobytes can claim as many."""

# Eight columns of eight bytes, their encodings and page headers; more is no history, and is refused unread.
_MAX_ROW_BYTES = 512
_MAX_OVERHEAD_BYTES = 2**20


def schema(metric: str) -> pa.Schema:
    """Return the columns of history.parquet for a metric's bare name, e.g. ``accuracy`` for ``val_accuracy``."""
    return pa.schema(
        [
            ("seed", pa.int64()),
            ("step", pa.int64()),
            ("epoch", pa.float64()),
            ("samples", pa.int64()),
            ("train_loss", pa.float64()),
            ("val_loss", pa.float64()),
            (f"val_{metric}", pa.float64()),
            ("learning_rate", pa.float64()),
        ]
    )


@dataclass(frozen=True, kw_only=True)
class History:
    """Equal-length columns, one row per (seed, evaluation); ``val_metric`` is stored as ``val_<metric>``.

    ``train_loss`` is the mean of the minibatch losses since the last row and NaN at step 0. A float that is not finite
    is null on disk and NaN here.
    """

    seed: Integers
    step: Integers
    epoch: Floats
    samples: Integers
    train_loss: Floats
    val_loss: Floats
    val_metric: Floats
    learning_rate: Floats

    def to_table(self, metric: str) -> pa.Table:
        """Return the columns as an Arrow table; raises ValueError if their lengths differ."""
        columns = [getattr(self, field.name) for field in fields(self)]
        lengths = {field.name: len(column) for field, column in zip(fields(self), columns, strict=True)}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"the columns of a history differ in length: {lengths}")
        return pa.table(
            [_to_arrow(column, kind.type) for column, kind in zip(columns, schema(metric), strict=True)],
            schema=schema(metric),
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> "History":
        """Return the columns of an Arrow table by position, null as NaN."""
        columns: list[Any] = list(to_arrays(table).values())
        return cls(**{field.name: column for field, column in zip(fields(cls), columns, strict=True)})


def to_arrays(table: pa.Table) -> dict[str, npt.NDArray[Any]]:
    """Return the table's columns by name, null as NaN."""
    return {name: table.column(name).to_numpy() for name in table.column_names}


def to_bytes(table: pa.Table) -> bytes:
    """Return the table as Parquet, every page with a checksum so that a flipped bit cannot pass for a result."""
    sink = pa.BufferOutputStream()
    # Snappy reads twice as fast as zstd here, for a file 15 to 30 % larger, and every Parquet reader knows it.
    pq.write_table(
        table, sink, compression="snappy", use_dictionary=False, write_page_checksum=True, store_schema=False
    )
    return bytes(sink.getvalue())


def read_content(path: Path, *, rows: int, sha256: str | None = None) -> bytes | str:
    """Return the bytes of a Parquet file, or what is wrong with it: missing, too large for its rows, another digest."""
    try:
        if not path.is_file() and path.exists():  # opening a named pipe would wait for ever
            return f"{path.name} is not a plain file"
        if (size := path.stat().st_size) > (most := _MAX_OVERHEAD_BYTES + _MAX_ROW_BYTES * min(rows, MAX_ROWS)):
            return f"{path.name} has {size} bytes; {rows} rows take at most {most}"
        content = path.read_bytes()
    except FileNotFoundError:
        return f"{path.name} is missing"
    except OSError as error:
        return _damaged(path, error)
    return content if sha256 in (None, sums.sha256(content)) else sums.mismatch(path.name)


def read_table(path: Path, *, metric: str, rows: int, sha256: str | None = None) -> pa.Table | str:
    """Return the table in a Parquet file, or what is wrong with it: damaged, other columns, another number of rows.

    With ``sha256`` the file must be the one with this digest.
    """
    content = read_content(path, rows=rows, sha256=sha256)
    if isinstance(content, str):
        return content
    try:
        parquet = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        problem = _shape_problem(parquet.schema_arrow, found=parquet.metadata.num_rows, metric=metric, rows=rows)
        return problem or parquet.read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        return _damaged(path, error)


def table_problem(table: pa.Table, *, metric: str, rows: int) -> str:
    """Return what is wrong with a table's row count or columns before it is written, "" if nothing is."""
    return _shape_problem(table.schema, found=table.num_rows, metric=metric, rows=rows)


def _shape_problem(found_schema: pa.Schema, *, found: int, metric: str, rows: int) -> str:
    if found != rows:
        return f"{HISTORY_FILE} holds {found} rows, run.json says {rows}"
    if found > MAX_ROWS:
        return f"{HISTORY_FILE} claims {found} rows; at most {MAX_ROWS} are read"
    expected = schema(metric)
    if not found_schema.equals(expected):
        return f"{HISTORY_FILE} holds the columns {_columns(found_schema)}; expected {_columns(expected)}"
    return ""


def _columns(found: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in found)


def _to_arrow(column: npt.NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    if pa.types.is_integer(kind):
        return pa.array(column, type=kind)
    values = np.asarray(column, dtype=np.float64)
    return pa.array(values, type=kind, mask=~np.isfinite(values))


def _damaged(path: Path, error: Exception) -> str:
    return f"{path.name} is damaged or truncated ({(str(error).splitlines() or [type(error).__name__])[0]})"
