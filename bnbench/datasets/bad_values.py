"""Values that nothing can be learned from: missing, infinite, or too large for float32."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.datasets.mapped import MappedArray, read_ahead
from bnbench.datasets.remembered import remember

FLOAT32_MAX = float(np.finfo(np.float32).max)
BLOCK_ROWS = 8192


@dataclass(frozen=True)
class BadValues:
    """The first column that has any: how many, and the first of them. `missing`: there is a NaN in some column."""

    column: int
    count: int
    row: int
    value: str
    missing: bool


def bad_values(inputs: NDArray[Any] | MappedArray) -> BadValues | None:
    """Return what is bad about a matrix of numbers, read in blocks; of a large file it is remembered."""
    if inputs.dtype.kind != "f":
        return None
    if isinstance(inputs, np.ndarray):
        return _find(inputs, [slice(start, start + BLOCK_ROWS) for start in range(0, len(inputs), BLOCK_ROWS)])

    def find_in_file() -> dict[str, Any]:
        found = _find(inputs, inputs.block_slices(len(inputs)))
        return {"bad": None if found is None else asdict(found)}

    found = remember("values", inputs, {}, find_in_file)["bad"]
    return None if found is None else BadValues(**found)


def _find(inputs: NDArray[Any] | MappedArray, slices: list[slice]) -> BadValues | None:
    counts = np.zeros(inputs.shape[1], dtype=np.int64)
    first: dict[int, tuple[int, str]] = {}
    missing = False
    for part, block in zip(slices, read_ahead(inputs.__getitem__, slices), strict=True):
        # written so that NaN, which is smaller than nothing, is bad too; float32 is what training computes in
        if float(block.min()) >= -FLOAT32_MAX and float(block.max()) <= FLOAT32_MAX:
            continue
        bad = ~(np.abs(block.astype(np.float64)) <= FLOAT32_MAX)
        missing = missing or bool(np.isnan(block).any())
        for column in np.flatnonzero(bad.any(axis=0)).tolist():
            row = int(bad[:, column].argmax())
            first.setdefault(column, (part.start + row, str(block[row, column])))
        counts += bad.sum(axis=0)
    if not first:
        return None
    column = min(first)
    return BadValues(column, int(counts[column]), *first[column], missing)
