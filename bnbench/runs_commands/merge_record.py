"""One record into another folder of runs: whole, only its new seeds, or not at all."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from bnbench.errors import UserError
from bnbench.records import Record, Skipped, cell_folder, cell_lock, load_records, record_folder, write_record
from bnbench.records.check import read_record
from bnbench.records.overlap import Results, same_results
from bnbench.runs_commands.answer import seeds_text


@dataclass(kw_only=True)
class Merged:
    """What a merge has come to, each as text that names the path."""

    copied: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def merge_record(record: Record, into: Path, merged: Merged) -> None:
    """Write what the folder does not hold yet of a record into it, under the lock of its cell."""
    cell = _cell_in(into, record)
    if cell.is_symlink():
        merged.left_out.append(f"{record.path}: {cell} is a link, which is not written through")
        return
    with cell_lock(cell) as acquired:
        if not acquired:
            merged.left_out.append(f"{record.path}: another process trains this cell in {into}; merge again later")
            return
        seeds, conflicting = _compare(record, cell)
        if conflicting:
            merged.conflicts.append(
                f"{record.path}: seeds {seeds_text(conflicting)} have other results in {cell}, which stay"
            )
        if not seeds:
            if not conflicting:
                merged.same.append(str(record.path))
            return
        _write(record, seeds, cell, merged)


def _cell_in(into: Path, record: Record) -> Path:
    """Return the cell's folder: one that is there already, whatever names it carries, or the one of its names."""
    there = sorted(path for path in into.glob(f"*-{record.cell_id}") if path.is_dir())
    return there[0] if there else cell_folder(into, dataset=record.dataset, norm=record.norm, cell_id=record.cell_id)


def _compare(record: Record, cell: Path) -> tuple[list[int], list[int]]:
    """Return the seeds of a record that the cell does not hold, and those it holds with other results.

    A seed that it holds with fewer diagnostics it does not hold.
    """
    runs = load_records(cell) if cell.is_dir() else None
    held = [other for other in runs.records if other.cell_id == record.cell_id] if runs else []
    new = {entry["seed"] for entry in record.seeds}
    conflicting: list[int] = []
    for other in held:
        common = new.intersection(entry["seed"] for entry in other.seeds)
        if common and record.status == "finished":
            same = same_results(Results.of(record), Results.of(other), common)
            conflicting += [seed for seed in common if not same[seed]]
        if record.asked_diagnostics <= other.asked_diagnostics:
            new -= common
    return sorted(new.difference(conflicting)), sorted(conflicting)


def _write(record: Record, seeds: list[int], cell: Path, merged: Merged) -> None:
    """Write these seeds of a record; a failed one only where its place is free."""
    diagnostics = _diagnostics(record, seeds)
    raw = record.raw
    if isinstance(diagnostics, str):
        merged.left_out.append(f"{record.path}: {diagnostics}; merged without its diagnostics")
        raw = {key: value for key, value in raw.items() if key != "diagnostics"}
    asked = record.asked_diagnostics if "diagnostics" in raw else ()
    target = record_folder(cell, seeds, diagnostics=asked)
    before = read_record(target) if target.is_dir() else None
    if target.is_symlink() or (isinstance(before, Skipped) and not before.unfinished):
        reason = before.reason if isinstance(before, Skipped) else "it is a link"
        merged.left_out.append(f"{record.path}: {target} is in the way: {reason}")
        return
    if record.status == "failed":
        if isinstance(before, Record):
            merged.same.append(str(record.path))
            return
        write_record(target, raw | {"seeds": _entries(record, seeds)}, None)
    else:
        table = _rows(record, seeds)
        measured = diagnostics if "diagnostics" in raw and isinstance(diagnostics, pa.Table) else None
        write_record(target, raw | {"seeds": _entries(record, seeds), "rows": table.num_rows}, table, measured)
    merged.copied.append(str(target))


def _entries(record: Record, seeds: list[int]) -> list[dict[str, object]]:
    return [entry for entry in record.raw["seeds"] if entry["seed"] in seeds]


def _rows(record: Record, seeds: list[int]) -> pa.Table:
    table = record.read_table()
    if isinstance(table, str):
        raise UserError(f"{record.path}: {table}")
    return _of_seeds(table, seeds)


def _diagnostics(record: Record, seeds: list[int]) -> pa.Table | str:
    table = record.read_diagnostics()
    return table if isinstance(table, str) else _of_seeds(table, seeds)


def _of_seeds(table: pa.Table, seeds: list[int]) -> pa.Table:
    chosen = np.isin(table.column("seed").to_numpy(), seeds)
    return table if bool(chosen.all()) else table.filter(pa.array(chosen))
