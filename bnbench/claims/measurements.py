"""What a claim that trains reads of its records' diagnostics."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bnbench.claims.trained import Floats, Trained
from bnbench.errors import UserError
from bnbench.records import Record


def measurement(records: Iterable[Record], run: Trained, *, name: str, layer: str) -> Floats:
    """Return what was measured of one layer of these runs (seeds, evaluations), NaN where it was not.

    `run` tells which of the records, by norm and learning rate, and which seeds and steps. Raises UserError where their
    diagnostics cannot be read, or hold no such measurement.
    """
    found = np.full((len(run.seeds), len(run.steps)), np.nan)
    for record in records:
        if record.norm == run.name and float(record.config["optimizer"]["lr"]) == run.rate:
            table = _rows(record, name=name, layer=layer)
            seed, step, value = (table.column(column).to_numpy() for column in ("seed", "step", "value"))
            asked = np.isin(seed, run.seeds)
            places = np.searchsorted(run.seeds, seed[asked]), np.searchsorted(run.steps, step[asked])
            found[places] = value[asked]
    return found


def _rows(record: Record, *, name: str, layer: str) -> pa.Table:
    table = record.read_diagnostics()
    if isinstance(table, str):
        raise UserError(f"{record.path}: {table}")
    rows = table.filter(pc.and_(pc.equal(table["name"], name), pc.equal(table["layer"], layer)))
    if not rows.num_rows:
        raise UserError(f"{record.path}: its diagnostics hold no {name} of {layer}")
    return rows
