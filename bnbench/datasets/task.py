"""A prepared data set: everything training needs, as tensors."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor

from bnbench.datasets.mapped import MappedRows, read_ahead
from bnbench.datasets.table import Kind

# what can be minimised, and for which kind of labels
LOSSES: dict[str, Kind] = {
    "cross_entropy": "classification",
    "binary": "classification",
    "mse": "regression",
    "huber": "regression",
}
# what is minimised where dataset.loss is null
DEFAULT_LOSSES: dict[Kind, str] = {"classification": "cross_entropy", "regression": "mse"}


@dataclass(frozen=True, eq=False)
class Task:
    """Split and preprocessed tensors, and how results on them are measured.

    All lie in CPU memory; but inputs may stay in their file, as `MappedRows`. Inputs are float32. Labels are int64
    class indices, or float32 values standardised on the training part, where an error in original units is the error
    times `label_scale`. `trivial` is the metric on the validation part, in original units, of always predicting the
    training part's most frequent class or mean. `loss` is cross_entropy, binary (one output for two classes), mse or
    huber. `checksum` is that of the prepared tensors: another file, split or preprocessing has another one. `report`
    says in lines what was made of the rows: types of the columns, sizes of the parts, leakage, rows left out.
    `feature_names` are those of the columns of the inputs, or empty.
    """

    name: str
    kind: Kind
    train_inputs: Float[Tensor, "train_rows features"] | MappedRows
    train_labels: Shaped[Tensor, " train_rows"]
    validation_inputs: Float[Tensor, "validation_rows features"] | MappedRows
    validation_labels: Shaped[Tensor, " validation_rows"]
    test_inputs: Float[Tensor, "test_rows features"] | MappedRows
    test_labels: Shaped[Tensor, " test_rows"]
    num_features: int
    num_outputs: int
    loss: str
    metric_name: str
    direction: str
    trivial: float
    label_scale: float
    targets: dict[str, Any] | None
    checksum: str
    report: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()


def checksum_of(tensors: dict[str, Tensor | MappedRows], *, label_scale: float) -> str:
    """Return the SHA-256 of the tensors in their order: name, dtype, shape and bytes of each, and the scale of the
    labels. It is the same wherever rows lie."""
    digest = hashlib.sha256(f"label_scale={label_scale!r}\n".encode())
    for name, tensor in tensors.items():
        blocks = read_ahead(tensor.__getitem__, tensor.slices()) if isinstance(tensor, MappedRows) else iter([tensor])
        dtype = np.dtype(str(tensor.dtype).removeprefix("torch."))
        digest.update(f"{name} {dtype.str} {tuple(tensor.shape)}\n".encode())
        for block in blocks:
            digest.update(block.contiguous().numpy().data.cast("B"))
    return digest.hexdigest()
