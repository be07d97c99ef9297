"""From the diagnostics that records hold to curves over the steps, as the learning curves are summed up over seeds."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bnbench.records import Record, Skipped
from bnbench.scoring.block import Block
from bnbench.scoring.board_diagnostics import Diagnosis, DiagnosticCurve
from bnbench.scoring.entry_curves import EntryCurves
from bnbench.scoring.times import Floats

QUARTILES = (25, 50, 75)


def diagnoses_of(blocks: Sequence[Block], records: Sequence[Record]) -> tuple[list[Diagnosis], list[Skipped]]:
    """Return what was looked at inside every row's networks, and the diagnostics that cannot be read.

    Once for each entry of a workload and track, whatever the target level.
    """
    by_path = {record.path: record for record in records if record.diagnostics is not None}
    found: dict[tuple[str, str, str], Diagnosis] = {}
    skipped: list[Skipped] = []
    for block in blocks:
        for entry in block.entries:
            key = (block.workload.workload_id, block.track, entry.entry)
            own = [by_path[path] for path in entry.paths if path in by_path]
            if own and key not in found:
                found[key] = _diagnosis(block, entry, own, skipped)
    return list(found.values()), list(dict.fromkeys(skipped))


def _diagnosis(block: Block, entry: EntryCurves, records: Sequence[Record], skipped: list[Skipped]) -> Diagnosis:
    tables = []
    left_out: dict[str, str] = {}
    for record in records:
        left_out |= (record.diagnostics or {})["left_out"]
        table = record.read_diagnostics()
        if isinstance(table, str):
            skipped.append(Skipped(record.path, f"its diagnostics are not shown: {table}"))
        else:
            # the rows of seeds that count elsewhere are those of another training
            counting = [each["seed"] for each in record.seeds if each["seed"] in entry.seeds]
            tables.append(table.filter(pc.is_in(table["seed"], value_set=pa.array(counting, type=pa.int64()))))
    return Diagnosis(
        workload_id=block.workload.workload_id,
        workload=block.workload.workload,
        track=block.track,
        entry=entry.entry,
        curves=tuple(_curves(tables)) if tables else (),
        left_out=tuple(sorted(left_out.items())),
    )


def _curves(tables: Sequence[pa.Table]) -> Iterator[DiagnosticCurve]:
    """Yield a curve per measurement and layer, in the order in which they were written."""
    table = pa.concat_tables(tables)
    known = [pc.is_valid(table[name]) for name in ("seed", "step", "layer", "name")]
    table = table.filter(pc.and_(pc.and_(*known[:2]), pc.and_(*known[2:]))).unify_dictionaries()
    names, layers = (table[column].combine_chunks() for column in ("name", "layer"))
    kinds = names.indices.to_numpy() * np.int64(len(layers.dictionary)) + layers.indices.to_numpy()
    columns = [table[column].to_numpy() for column in ("seed", "step", "value")]
    for first, rows in _groups(kinds):
        own = (column[rows] for column in columns)
        yield _curve(names[first].as_py(), layers[first].as_py(), *own)


def _groups(kinds: NDArray[np.int64]) -> list[tuple[int, NDArray[np.intp]]]:
    """Return the first row and all rows of every kind, in the order of the first ones."""
    _, first, inverse = np.unique(kinds, return_index=True, return_inverse=True)
    if not len(first):  # nothing is one part for np.split
        return []
    rows = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    return sorted(((int(start), own) for start, own in zip(first, rows, strict=True)), key=lambda each: each[0])


def _curve(name: str, layer: str, seed: NDArray[np.int64], step: NDArray[np.int64], value: Floats) -> DiagnosticCurve:
    seeds, row = np.unique(seed, return_inverse=True)
    steps, column = np.unique(step, return_inverse=True)
    values = np.full((len(seeds), len(steps)), np.nan)
    values[row, column] = value
    low, median, high = (np.full(len(steps), np.nan) for _ in QUARTILES)
    known = np.isfinite(values).any(axis=0)
    if known.any():
        low[known], median[known], high[known] = np.nanpercentile(values[:, known], QUARTILES, axis=0)
    return DiagnosticCurve(name, layer, steps, median, low, high, len(seeds))
