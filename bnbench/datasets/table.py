"""What a source delivers, before it is split and preprocessed, and the registry of sources."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnbench.datasets.schema import DatasetConfig
from bnbench.errors import UserError
from bnbench.registry import Registry

Kind = Literal["classification", "regression"]
FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows as a source delivers them.

    `inputs` is (rows, features), any real dtype; or a DataFrame where columns are categories or values are missing, as
    `table_from_frame` makes it: numbers with NaN where they are missing, and pandas categories of text. `labels` is
    (rows,): indices into `class_names`, or real numbers in original units. The last `num_official_test` rows are the
    official test part. `maximum` is the largest value an input can take, where that is known without looking at the
    rows (images). `feature_names` serve messages; a DataFrame has its own. `split_values` are those of
    `dataset.split_column`, one per row; `row_numbers` the places the rows had where some were left out; `notes` say
    what the user should know of how the rows were read.
    """

    name: str
    kind: Kind
    inputs: NDArray[Any] | pd.DataFrame
    labels: NDArray[Any]
    class_names: tuple[str, ...] = ()
    num_official_test: int = 0
    maximum: float | None = None
    feature_names: tuple[str, ...] = ()
    split_values: NDArray[Any] | None = None
    row_numbers: NDArray[np.integer] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise UserError for rows that no model could be trained on."""
        rows = len(self.inputs)
        if self.inputs.ndim != 2 or 0 in self.inputs.shape:
            raise UserError(f"data set '{self.name}': inputs of shape {self.inputs.shape}, expected (rows, features)")
        for what, values in (("labels", self.labels), ("split values", self.split_values)):
            if values is not None and values.shape != (rows,):
                raise UserError(
                    f"data set '{self.name}': {what} of shape {values.shape} for {rows} rows, expected ({rows},)"
                )
        if isinstance(self.inputs, pd.DataFrame):
            self._check_columns(self.inputs)
        else:
            self._check_inputs(self.inputs)
        self._check_labels()

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def row_number(self, row: int) -> int:
        """Return the place a row had before others were left out, from 0."""
        return row if self.row_numbers is None else int(self.row_numbers[row])

    def floating_inputs(self) -> NDArray[np.floating]:
        """Return an array of inputs as it is preprocessed.

        Pixels are exact in float32; wider numbers stay float64 until then, or a large offset would eat their digits.
        """
        if isinstance(self.inputs, pd.DataFrame):
            raise TypeError("the columns of a DataFrame are encoded first (bnbench.datasets.encoding)")
        narrow = self.inputs.dtype.kind in "biu" and self.inputs.dtype.itemsize <= 2
        return self.inputs.astype(np.float32 if narrow or self.inputs.dtype == np.float32 else np.float64, copy=False)

    def _check_inputs(self, inputs: NDArray[Any]) -> None:
        if inputs.dtype.kind != "f":
            return
        # Written so that NaN, which is smaller than nothing, is bad too; float32 is what training computes in.
        bad = ~(np.abs(self.floating_inputs()) <= FLOAT32_MAX)
        if not bad.any():
            return
        column = int(bad.any(axis=0).argmax())
        row = int(bad[:, column].argmax())
        name = f" '{self.feature_names[column]}'" if self.feature_names else ""
        raise UserError(
            f"data set '{self.name}': column {column}{name} has {int(bad[:, column].sum())} missing, infinite or too "
            f"large values, the first in row {self.row_number(row)} ({inputs[row, column]}); fill them in or leave "
            "these rows or the column out"
        )

    def _check_columns(self, frame: pd.DataFrame) -> None:
        for column, values in frame.items():
            if isinstance(values.dtype, pd.CategoricalDtype):
                continue
            numbers = values.to_numpy(dtype=np.float64)
            bad = np.abs(numbers) > FLOAT32_MAX
            if bad.any():
                row = int(bad.argmax())
                raise UserError(
                    f"data set '{self.name}': column '{column}' has {int(bad.sum())} infinite or too large values, the "
                    f"first in row {self.row_number(row)} ({numbers[row]}); blank them or leave these rows or the "
                    "column out"
                )

    def _check_labels(self) -> None:
        if self.kind == "regression":
            bad = ~(np.abs(self.labels) <= FLOAT32_MAX)
            if bad.any():
                row = int(bad.argmax())
                raise UserError(
                    f"data set '{self.name}': {int(bad.sum())} labels are missing, infinite or too large, the first "
                    f"in row {self.row_number(row)} ({self.labels[row]}); leave these rows out"
                )
        if (self.labels == self.labels[0]).all():
            what = "class" if self.kind == "classification" else "value"
            raise UserError(
                f"data set '{self.name}': all {len(self.labels)} labels are of one {what}: nothing can be learned"
            )


Source = Callable[[DatasetConfig], Table]

SOURCES: Registry[Source] = Registry("data source")
