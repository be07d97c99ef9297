"""What a source delivers, before it is split and preprocessed, and the registry of sources."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnbench.datasets.bad_values import FLOAT32_MAX, BadValues, bad_values
from bnbench.datasets.mapped import MappedArray, floating_dtype
from bnbench.datasets.schema import DatasetConfig
from bnbench.errors import UserError
from bnbench.registry import Registry

Kind = Literal["classification", "regression"]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows as a source delivers them.

    `inputs` is (rows, features), any real dtype; or a DataFrame where columns are categories or values are missing, as
    `table_from_frame` makes it: numbers with NaN where they are missing, and pandas categories of text; or a
    `MappedArray` where they may stay in their file. `labels` is
    (rows,): indices into `class_names`, or real numbers in original units. The last `num_official_test` rows are the
    official test part. `maximum` is the largest value an input can take, where that is known without looking at the
    rows (images). `feature_names` serve messages; a DataFrame has its own. `split_values` are those of
    `dataset.split_column`, one per row; `row_numbers` the places the rows had where some were left out; `notes` say
    what the user should know of how the rows were read.
    """

    name: str
    kind: Kind
    inputs: NDArray[Any] | pd.DataFrame | MappedArray
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
            bad = bad_values(self.inputs)
            if bad is not None:
                self._refuse(bad)
        self._check_labels()

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def row_number(self, row: int) -> int:
        """Return the place a row had before others were left out, from 0."""
        return row if self.row_numbers is None else int(self.row_numbers[row])

    def floating_inputs(self, rows: NDArray[np.intp]) -> NDArray[np.floating]:
        """Return these rows of an array of inputs in the type in which it is preprocessed."""
        if isinstance(self.inputs, pd.DataFrame):
            raise TypeError("the columns of a DataFrame are encoded first (bnbench.datasets.encoding)")
        if isinstance(self.inputs, MappedArray):
            raise TypeError("rows in a file are cut from it (bnbench.datasets.mapped)")
        return self.inputs[rows].astype(floating_dtype(self.inputs.dtype), copy=False)

    def _refuse(self, bad: BadValues) -> NoReturn:
        name = f" '{self.feature_names[bad.column]}'" if self.feature_names else ""
        raise UserError(
            f"data set '{self.name}': column {bad.column}{name} has {bad.count} missing, infinite or too large values, "
            f"the first in row {self.row_number(bad.row)} ({bad.value}); fill them in or leave these rows or the "
            "column out"
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
