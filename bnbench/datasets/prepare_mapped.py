"""Inputs that stay in their file: transformed as they are cut, and what is to be known of all of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bnbench.datasets.affine_fit import fit_affine
from bnbench.datasets.leakage import find_leakage
from bnbench.datasets.mapped import Affine, MappedArray, MappedRows, floating_dtype
from bnbench.datasets.parts import PARTS, Split
from bnbench.datasets.preprocessing import Features
from bnbench.datasets.remembered import remember
from bnbench.datasets.table import Table
from bnbench.datasets.task import checksum_of


@dataclass(frozen=True, eq=False)
class MappedInputs:
    """Inputs and labels of every part, their checksum, and what a report says of all rows."""

    tensors: dict[str, Tensor | MappedRows]
    checksum: str
    is_constant: NDArray[np.bool_]
    leakage: tuple[str, ...]


def prepare_mapped(
    table: Table,
    split: Split,
    labels: dict[str, NDArray[np.generic]],
    *,
    label_scale: float,
    preprocessing: str,
    features: Features,
) -> MappedInputs:
    """Return the inputs of a split array. All of the file is read for it, and what is found remembered."""
    array = table.inputs
    if not isinstance(array, MappedArray):
        raise TypeError("expected rows in a file")
    raw = {part: MappedRows(array, getattr(split, part)) for part in PARTS}

    def find_out() -> dict[str, Any]:
        affine = fit_affine(raw["train"], preprocessing, features)
        parts = {part: MappedRows(array, rows.rows, affine) for part, rows in raw.items()}
        return {
            "shift": _as_list(affine.shift),
            "scale": _as_list(affine.scale),
            "checksum": checksum_of(in_order(parts, labels), label_scale=label_scale),
            "is_constant": constant_columns(raw["train"]).tolist(),
            "leakage": find_leakage(table, split),
        }

    key = {
        "preprocessing": [preprocessing, features.maximum],
        "labels": [repr(label_scale), *(_digest(labels[part]) for part in PARTS)],
        "split": [_digest(rows.rows) for rows in raw.values()],
        "names": list(table.feature_names),
    }
    found = remember("prepared", array, key, find_out)
    dtype = floating_dtype(array.dtype)
    affine = Affine(
        *(None if found[name] is None else np.array(found[name], dtype=dtype) for name in ("shift", "scale"))
    )
    return MappedInputs(
        in_order({part: MappedRows(array, rows.rows, affine) for part, rows in raw.items()}, labels),
        found["checksum"],
        np.array(found["is_constant"], dtype=bool),
        tuple(found["leakage"]),
    )


def constant_columns(rows: NDArray[np.floating] | MappedRows) -> NDArray[np.bool_]:
    """Return of each column whether it has one value only."""
    if not isinstance(rows, MappedRows):
        return (rows == rows[:1]).all(axis=0)
    first = rows.floating(slice(0, 1))
    constant = np.ones(rows.shape[1], dtype=bool)
    for part in rows.slices():
        if not constant.any():
            break
        constant &= (rows.floating(part) == first).all(axis=0)
    return constant


def in_order(
    inputs: Mapping[str, Tensor | MappedRows], labels: dict[str, NDArray[np.generic]]
) -> dict[str, Tensor | MappedRows]:
    """Return inputs and labels of every part by their names in a task, in the order of its checksum."""
    tensors: dict[str, Tensor | MappedRows] = {}
    for part in PARTS:
        tensors |= {f"{part}_inputs": inputs[part], f"{part}_labels": torch.from_numpy(labels[part])}
    return tensors


def _as_list(values: NDArray[np.floating] | None) -> Any:
    """Return numbers that JSON keeps to the last bit."""
    return None if values is None else values.tolist()


def _digest(values: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data.cast("B")).hexdigest()
