"""What one column of a DataFrame holds: numbers, categories, nothing, or something that cannot be learned from."""

import datetime
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_integer_dtype, is_numeric_dtype

from bnbench.errors import UserError

ColumnKind = Literal["number", "category", "empty", "other"]
# One-hot, every category is a feature: with 1,000 of them a table of 50,000 rows takes 200 MB, and each has 50 rows.
MOST_CATEGORIES = 1000
# Text that hardly repeats is names, keys or sentences: what is learned of one row holds for no other. A short table
# may have few rows of each of its categories all the same.
FEWEST_ROWS_PER_CATEGORY = 2
FEW_CATEGORIES = 30
# A column most of whose cells spell numbers is meant to be one of numbers.
NUMERIC_SHARE = 0.5
DATES = "dates or times"
# 1,234.5 and 1.234,5, $12, 7 %, 3,5: numbers to a reader, of which a program does not know how much they are
DRESSED = re.compile(
    r"[-+]?[$€£¥]?\s?[-+]?(\d+([.,]\d+)?|\d{1,3}(,\d{3})+(\.\d+)?|\d{1,3}(\.\d{3})+(,\d+)?)\s?[%$€£¥]?"
)
LARGEST_EXACT = 2**53  # whole numbers beyond it are not all in float64


@dataclass
class Column:
    """A column as it is learned from: float64 with NaN, or a pandas Categorical of text; `why` says what else it is.

    `is_cut`: whole numbers beyond 2⁵³, of which float64 has no last digits.
    """

    name: str
    kind: ColumnKind
    values: Any = None
    has_missing: bool = False
    was_text: bool = False
    is_boolean: bool = False
    is_cut: bool = False
    why: str = ""


def read_column(
    values: pd.Series,
    *,
    name: str,
    as_category: bool = False,
    row_numbers: NDArray[np.integer] | None = None,
    is_target: bool = False,
) -> Column:
    """Return what a column holds; blank text is missing, as None and NaN are.

    Raises UserError for a column of numbers in which a few cells are text, with the row and the value of the first.
    """
    column = str(values.name)
    dtype = values.dtype
    if dtype.kind in "mM" or isinstance(dtype, pd.PeriodDtype | pd.DatetimeTZDtype):
        return Column(column, "other", why=DATES)
    if is_complex_dtype(dtype):
        return Column(column, "other", why="complex numbers")
    if is_numeric_dtype(dtype) and not as_category:
        read = _numbers(column, values.to_numpy(dtype=np.float64, na_value=np.nan), is_boolean=is_bool_dtype(dtype))
        if is_integer_dtype(dtype) and read.kind == "number":
            read.is_cut = bool(np.nanmax(np.abs(read.values)) > LARGEST_EXACT)
        return read
    codes, found = _distinct(values)
    if isinstance(found, str):
        return Column(column, "other", why=found)
    if not len(found):
        return Column(column, "empty")
    if as_category or isinstance(dtype, pd.CategoricalDtype):
        return _categories(column, codes, found)
    if all(isinstance(value, bool | np.bool_) for value in found):
        return _numbers(column, _take(np.array(found, dtype=np.float64), codes), is_boolean=True)
    return _numbers_or_names(column, codes, found, name=name, row_numbers=row_numbers, is_target=is_target)


def too_many_categories(column: Column) -> str | None:
    """Return what makes a column of names none of categories, or None."""
    if column.kind != "category":
        return None
    number, rows = len(column.values.categories), int((column.values.codes >= 0).sum())
    if number > MOST_CATEGORIES:
        return f"{number} different values, more than the {MOST_CATEGORIES} that become a feature each"
    if number > FEW_CATEGORIES and rows < FEWEST_ROWS_PER_CATEGORY * number:
        return f"{number} different values in {rows} rows: names or text rather than categories"
    return None


def _numbers_or_names(
    column: str,
    codes: NDArray[np.intp],
    found: NDArray[Any],
    *,
    name: str,
    row_numbers: NDArray[np.integer] | None,
    is_target: bool,
) -> Column:
    numbers = pd.to_numeric(pd.Series(found, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    spelled = ~np.isnan(numbers)
    if spelled.all():
        return _numbers(column, _take(numbers, codes), was_text=True)
    dressed = ~spelled & [isinstance(value, str) and DRESSED.fullmatch(value) is not None for value in found]
    counts = np.bincount(codes[codes >= 0], minlength=len(found))
    share = counts[spelled | dressed].sum() / counts.sum()
    if share <= NUMERIC_SHARE:
        return _categories(column, codes, found)
    is_bad = ~spelled & ~dressed
    all_numbers = not is_bad.any()
    bad = np.flatnonzero((codes >= 0) & (dressed if all_numbers else is_bad)[codes])
    row = int(bad[0] if row_numbers is None else row_numbers[bad[0]])
    instead = "dataset.kind=classification" if is_target else f"dataset.categorical_columns=[{column}]"
    first = f"'{column}' has {found[codes[bad[0]]]!r} in row {row} and {len(bad)} such cells in all"
    if all_numbers:
        raise UserError(
            f"data set '{name}': numbers that are not written plainly: {first}; write them without thousands "
            f"separators and signs, with a decimal point, or set {instead}"
        )
    raise UserError(
        f"data set '{name}': text in a numeric column: {first}, the other {share:.0%} are numbers; correct or blank "
        f"them, or set {instead}"
    )


def _distinct(values: pd.Series) -> tuple[NDArray[np.intp], NDArray[Any] | str]:
    """Return the place of every cell among the distinct values, -1 where it is missing, or say what is none of these.

    Text loses the blanks around it. All later work is done once per distinct value.
    """
    try:
        codes, found = pd.factorize(values.astype(object))
    except TypeError:
        return np.empty(0, dtype=np.intp), "lists or objects"
    if any(isinstance(value, datetime.date | datetime.time | datetime.timedelta) for value in found):
        return codes, DATES
    if any(isinstance(value, bytes | tuple | frozenset) for value in found):
        return codes, "bytes or objects"
    stripped = [value.strip() if isinstance(value, str) else value for value in found]
    merged, distinct = pd.factorize(np.array([value if value != "" else None for value in stripped], dtype=object))
    return np.where(codes >= 0, merged[codes], -1) if len(found) else codes, distinct


def _numbers(column: str, numbers: NDArray[np.float64], *, was_text: bool = False, is_boolean: bool = False) -> Column:
    missing = np.isnan(numbers)
    if missing.all():
        return Column(column, "empty")
    return Column(column, "number", numbers, bool(missing.any()), was_text, is_boolean)


def _categories(column: str, codes: NDArray[np.intp], found: NDArray[Any]) -> Column:
    # by their text: 1 and 1.0 are one category, as a missing cell makes floats of whole numbers
    texts = [str(int(value)) if isinstance(value, float) and value.is_integer() else str(value) for value in found]
    place, names = pd.factorize(np.array(texts, dtype=object), sort=True)
    values = pd.Categorical.from_codes(np.where(codes >= 0, place[codes], -1), categories=list(names))
    return Column(column, "category", values, bool((codes < 0).any()))


def _take(values: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.where(codes >= 0, values[codes], np.nan)
