"""diagnostics.parquet: one row per (seed, evaluation, layer, measurement) of what was looked at inside the networks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bnbench.records import sums
from bnbench.records.layout import DIAGNOSTICS_FILE

MAX_ROWS = 50_000_000
"""A file of more rows is refused unread: a few hostile kilobytes can claim as many."""

_MAX_BYTES = 2**30
_TEXTS = ("layer", "name")

SCHEMA = pa.schema(
    [
        ("seed", pa.int64()),
        ("step", pa.int64()),
        ("layer", pa.string()),
        ("name", pa.string()),
        ("value", pa.float64()),
    ]
)
"""The columns: "hidden.0" is the first hidden layer, "" the whole network; a value that is not finite is null."""


def to_table(columns: Mapping[str, Sequence[int] | Sequence[float] | Sequence[str]]) -> pa.Table:
    """Return the columns as an Arrow table."""
    value = np.asarray(columns["value"], dtype=np.float64)
    values = pa.array(value, type=pa.float64(), mask=~np.isfinite(value))
    names = [field.name for field in SCHEMA if field.name != "value"]
    return pa.table([*(pa.array(columns[name], type=SCHEMA.field(name).type) for name in names), values], schema=SCHEMA)


def to_bytes(table: pa.Table) -> bytes:
    """Return the table as Parquet, every page with a checksum; the few texts stand once each."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="snappy", use_dictionary=list(_TEXTS), write_page_checksum=True, store_schema=False
    )
    return bytes(sink.getvalue())


def read_table(path: Path, *, sha256: str | None = None) -> pa.Table | str:
    """Return the table in a file, its texts as dictionaries, or what is wrong with it: missing, damaged, other columns.

    With ``sha256`` the file must be the one with this digest.
    """
    try:
        if not path.is_file() and path.exists():  # opening a named pipe would wait for ever
            return f"{path.name} is not a plain file"
        if (size := path.stat().st_size) > _MAX_BYTES:
            return f"{path.name} has {size} bytes; at most {_MAX_BYTES} are read"
        content = path.read_bytes()
        if sha256 is not None and sums.sha256(content) != sha256:
            return sums.mismatch(path.name)
        # as dictionaries: a text of a million letters that stands in every row would fill the memory
        parquet = pq.ParquetFile(
            pa.BufferReader(content), page_checksum_verification=True, read_dictionary=list(_TEXTS)
        )
        problem = _problem(parquet.schema_arrow, rows=parquet.metadata.num_rows)
        return problem or parquet.read(use_threads=False)
    except FileNotFoundError:
        return f"{path.name} is missing"
    except (OSError, pa.ArrowException) as error:
        return f"{path.name} is damaged or truncated ({(str(error).splitlines() or [type(error).__name__])[0]})"


def _problem(found: pa.Schema, *, rows: int) -> str:
    if rows > MAX_ROWS:
        return f"{DIAGNOSTICS_FILE} claims {rows} rows; at most {MAX_ROWS} are read"
    plain = [(field.name, _undictionaried(field.type)) for field in found]
    if plain != [(field.name, field.type) for field in SCHEMA]:
        listed = ", ".join(f"{field.name} {field.type}" for field in found)
        return f"{DIAGNOSTICS_FILE} holds the columns {listed}; expected {', '.join(SCHEMA.names)}"
    return ""


def _undictionaried(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
