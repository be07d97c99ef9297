"""One run record in memory: the fields of run.json, and the history on demand."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bnbench.errors import UserError
from bnbench.records import diagnostics_file, history
from bnbench.records.layout import DIAGNOSTICS_FILE, HISTORY_FILE


@dataclass(frozen=True, slots=True)
class Skipped:
    """A folder that does not count, and why; ``unfinished`` if all it needs is to be trained again."""

    path: Path
    reason: str
    unfinished: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A run record that was checked when it was read; ``raw`` is run.json as it stands.

    ``seeds`` holds the seeds that count: where two folders hold the same (cell, seed), only one of the two records
    keeps it, while ``raw["seeds"]`` still lists it. ``diagnostics`` is None where none was asked for.
    ``history_sha256`` is what SHA256SUMS says of history.parquet, and ``diagnostics_sha256`` of diagnostics.parquet.
    """

    path: Path
    raw: dict[str, Any]
    seeds: list[dict[str, Any]]
    schema_version: int
    cell_id: str
    workload_id: str
    workload: str
    entry: str
    norm: str
    dataset: str
    experiments: list[str]
    track: str
    status: str
    config: dict[str, Any]
    identity: dict[str, Any]
    metric: dict[str, Any]
    targets: dict[str, Any] | None
    rows: int
    timing: dict[str, Any]
    environment: dict[str, Any]
    error: dict[str, Any] | None
    diagnostics: dict[str, Any] | None = None
    history_sha256: str | None = None
    diagnostics_sha256: str | None = None

    @classmethod
    def from_raw(cls, path: Path, raw: dict[str, Any], *, sums: Mapping[str, str] = MappingProxyType({})) -> "Record":
        """Return the record of a run.json that has passed ``schema.validate``; `sums` are digests by file name."""
        history_sha256, diagnostics_sha256 = sums.get(HISTORY_FILE), sums.get(DIAGNOSTICS_FILE)
        return cls(path=path, raw=raw, history_sha256=history_sha256, diagnostics_sha256=diagnostics_sha256, **raw)

    @property
    def asked_diagnostics(self) -> frozenset[str]:
        """Return the names of all diagnostics that were asked for, those left out included."""
        told = self.diagnostics or {"names": [], "left_out": {}}
        return frozenset((*told["names"], *told["left_out"]))

    def read_table(self) -> pa.Table | str:
        """Return the table in history.parquet, or what is wrong with it."""
        return history.read_table(
            self.path / HISTORY_FILE, metric=self.metric["name"], rows=self.rows, sha256=self.history_sha256
        )

    def has_history(self) -> bool:
        """Return whether history.parquet is there, with the digest in SHA256SUMS; its rows are not looked at."""
        path = self.path / HISTORY_FILE
        return isinstance(history.read_content(path, rows=self.rows, sha256=self.history_sha256), bytes)

    def read_diagnostics(self) -> pa.Table | str:
        """Return the table in diagnostics.parquet, its texts as dictionaries, or what is wrong with it.

        Its rows are those of all seeds in ``raw``. A record without diagnostics has no rows.
        """
        if self.diagnostics is None or self.status == "failed":
            return diagnostics_file.SCHEMA.empty_table()
        return diagnostics_file.read_table(self.path / DIAGNOSTICS_FILE, sha256=self.diagnostics_sha256)

    def history(self, names: Collection[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of history.parquet by name, int64 or float64, null as NaN, only the rows of ``seeds``.

        ``names`` chooses columns, ``seed`` among them; the whole file is read and checked all the same. A failed record
        has no rows. Raises UserError if the file is missing, damaged or disagrees with run.json.
        """
        if self.status == "failed":
            return history.to_arrays(history.schema(self.metric["name"]).empty_table())
        table = self.read_table()
        if isinstance(table, str):
            raise UserError(f"{self.path}: {table}")
        columns = history.to_arrays(table if names is None else table.select(list(names)))
        if len(self.seeds) == len(self.raw["seeds"]):
            return columns
        kept = np.isin(columns["seed"], [seed["seed"] for seed in self.seeds])
        return {name: column[kept] for name, column in columns.items()}
