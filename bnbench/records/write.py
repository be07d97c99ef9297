"""Writing a record so that a kill at any moment leaves it finished or recognisably unfinished, never wrong."""

import json
import shutil
from collections.abc import Collection, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bnbench.errors import UserError
from bnbench.records import atomic, diagnostics_file, history, schema
from bnbench.records.check import parse_json, read_record, rows_problem
from bnbench.records.layout import DIAGNOSTICS_FILE, HISTORY_FILE, RUN_FILE, cell_id_of, record_folder
from bnbench.records.overlap import Results, same_results
from bnbench.records.read import unfinished_folders
from bnbench.records.record import Record
from bnbench.records.sums import SUMS_FILE, sha256, sums_text
from bnbench.secret_values import masked_tree

MAY_QUOTE = frozenset({"environment", "error", "config"})


def begin_record(folder: Path) -> None:
    """Create the record's folder before training starts, so that a killed run leaves evidence of itself.

    Raises UserError if it cannot be created: better now than after an hour of training.
    """
    atomic.make_folder(folder)


def write_record(
    folder: Path,
    record: Mapping[str, Any],
    history_table: pa.Table | None,
    diagnostics_table: pa.Table | None = None,
) -> Record:
    """Write the tables, SHA256SUMS and run.json, each atomically and in this order; return what reads back.

    Numbers in ``record`` that are not finite are written as null, NumPy scalars as numbers. ``history_table`` (see
    ``History.to_table``) is None only for a failed record. A finished record whose ``diagnostics`` are told has a
    ``diagnostics_table`` (see ``diagnostics_file.to_table``). What an unfinished or failed run left in the folder is
    replaced.
    A finished record is never overwritten: if it holds the same results it stays as it is and is returned.

    Raises ValueError, before anything is touched, if the record could not be read back as one; UserError if the folder
    cannot be written or holds a finished record with other results. After any of these, as after a kill, the folder
    holds what it held before or is recognisably unfinished.
    """
    # A traceback may quote what a program was called with; what decides results is refused if it holds a secret.
    kept = {key: masked_tree(value) if key in MAY_QUOTE else value for key, value in record.items()}
    content = json.dumps(_plain(kept), indent=1, ensure_ascii=False, allow_nan=False).encode()
    new = _checked(folder, content, history_table, diagnostics_table)
    atomic.make_folder(folder)
    before = read_record(folder)
    if isinstance(before, Record) and before.status == "finished":
        return _keep(before, new, history_table)
    atomic.remove_temporaries(folder)
    atomic.remove_file(folder / RUN_FILE)  # first: from here on the folder is unfinished until the new run.json
    tables = {
        HISTORY_FILE: None if history_table is None else history.to_bytes(history_table),
        DIAGNOSTICS_FILE: None if diagnostics_table is None else diagnostics_file.to_bytes(diagnostics_table),
    }
    files = {name: written for name, written in tables.items() if written is not None}
    for name in tables:
        if name in files:
            atomic.write_atomically(folder / name, files[name])
        elif (folder / name).exists():  # of what was there before
            atomic.remove_file(folder / name)
    atomic.write_atomically(folder / SUMS_FILE, sums_text({**files, RUN_FILE: content}))
    atomic.write_atomically(folder / RUN_FILE, content)
    return Record.from_raw(folder, new.raw, sums={name: sha256(written) for name, written in files.items()})


def remove_unfinished(cell_folder: Path, *, spare: Collection[Path] = ()) -> list[Path]:
    """Remove the cell's record folders that have no run.json, but for those to spare, and return them by name.

    Call it while holding the cell's lock, and not while a record begun by this process is still to be written: a folder
    that is being trained looks the same. Raises UserError if a folder cannot be removed.
    """
    removed = []
    for folder in unfinished_folders(cell_folder):
        if folder in spare:
            continue
        if (folder / RUN_FILE).exists():
            continue  # its run.json is evidence, though the history disagrees: only a rewrite replaces it
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise atomic.cannot_write(folder, error) from error
        removed.append(folder)
    return removed


def _checked(
    folder: Path, content: bytes, history_table: pa.Table | None, diagnostics_table: pa.Table | None
) -> Record:
    """Return the record that the content will read back as, or raise ValueError naming what is wrong with it."""
    raw = parse_json(content)
    problems = [f"run.json {raw}"] if isinstance(raw, str) else schema.validate(raw)
    if isinstance(raw, str) or problems:
        raise ValueError(f"{folder}: not a valid record: {'; '.join(problems)}")
    record = Record.from_raw(folder, raw)
    seeds = [entry["seed"] for entry in record.seeds]
    expected = record_folder(folder.parent, seeds, diagnostics=record.asked_diagnostics)
    if folder.name != expected.name or cell_id_of(folder.parent) != record.cell_id:
        raise ValueError(f"{folder} is not the place of cell {record.cell_id}, {expected.name}")
    if (history_table is None) != (record.status == "failed"):
        raise ValueError(f"{folder}: a finished record needs a history, and a failed one has none")
    if (diagnostics_table is None) == (record.status == "finished" and record.diagnostics is not None):
        raise ValueError(f"{folder}: a finished record of diagnostics needs their table, and others have none")
    if diagnostics_table is not None and not np.isin(diagnostics_table["seed"].to_numpy(), seeds).all():
        raise ValueError(f"{folder}: {DIAGNOSTICS_FILE} holds seeds that run.json does not")
    if history_table is not None:
        problem = history.table_problem(history_table, metric=record.metric["name"], rows=record.rows)
        if problem := problem or rows_problem(record, history_table):
            raise ValueError(f"{folder}: {problem}")
    return record


def _keep(before: Record, new: Record, history_table: pa.Table | None) -> Record:
    """Return the finished record that is already there if the new one holds the same results, else refuse."""
    if history_table is not None and before.cell_id == new.cell_id:
        outcomes = {entry["seed"]: entry for entry in new.seeds}
        results = Results(outcomes=outcomes, history=history.to_arrays(history_table))
        if all(same_results(Results.of(before), results, outcomes).values()):
            return before
    raise UserError(
        f"{before.path} already holds a finished record with other results, written by another process since this one "
        "started; it was left as it is. To train these seeds again, remove that folder first"
    )


def _plain(value: Any) -> Any:
    """Return plain JSON: NumPy scalars as numbers, null for what is not finite, undecodable bytes escaped."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, str):
        # A file name in a traceback may hold bytes that are no UTF-8 (lone surrogates): keep them legible.
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
