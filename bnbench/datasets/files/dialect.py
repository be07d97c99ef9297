"""How a CSV is written, told from its first rows: delimiter, header, decimal comma, leading zeros."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyarrow import csv as arrow_csv

from bnbench.errors import UserError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE_BYTES = 1 << 18
SAMPLE_RECORDS = 500
# two cells 0 and 1 may well be the first row of a table of zeros and ones
FEWEST_COUNTED = 3
# beside what pandas and Arrow take for missing, UCI's question mark
MISSING = [*arrow_csv.ConvertOptions().null_values, "?", " ?", " NA", " "]
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
MAYBE_THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2},\d{3}\s*")
LEADING_ZERO = re.compile(r"\s*0\d+\s*")


@dataclass(frozen=True)
class Dialect:
    """How a file is written: its first rows, as far as they say it.

    `names` are the cells of the header as they stand there, or the numbers of the columns; `with_zeros` are the places
    of columns with whole numbers that begin with a zero.
    """

    delimiter: str
    has_header: bool
    decimal: str
    names: tuple[str, ...]
    with_zeros: tuple[int, ...]

    def places(self, columns: Collection[object]) -> set[int]:
        """Return the places of columns that are given by their names, or their numbers: from the end if negative."""
        count, wanted = len(self.names), {str(column) for column in columns}
        return {
            place for place, name in enumerate(self.names) if wanted & {name.strip(), str(place), str(place - count)}
        }


def find_dialect(content: bytes, path: Path, *, target_column: object) -> Dialect:
    """Return how a file of UTF-8 is written; raises UserError for one of a single column, or of a single line."""
    sample = content[:SAMPLE_BYTES].decode(errors="ignore")
    records = {delimiter: _records(sample, delimiter, cut=len(content) > SAMPLE_BYTES) for delimiter in DELIMITERS}
    widths = {delimiter: Counter(map(len, found)).most_common(1)[0] for delimiter, found in records.items()}
    # the delimiter by which most rows have equally many cells; the one that gives more cells where two do
    delimiter = max(
        widths, key=lambda each: (widths[each][0] > 1, widths[each][1] * min(widths[each][0], 2), widths[each])
    )
    num_columns = widths[delimiter][0]
    if num_columns < 2:
        raise UserError(
            f"{path}: its rows have one cell each, whether commas, semicolons, tabs or bars are between cells; "
            f"expected a table. It begins with {beginning(content)}"
        )
    rows = [record for record in records[delimiter] if len(record) == num_columns]
    has_header = _has_header(rows, target_column=target_column)
    if has_header and len(records[delimiter]) == 1:
        raise UserError(f"{path} has no row under its header, or is no table. It begins with {beginning(content)}")
    values = rows[has_header:]
    return Dialect(
        delimiter,
        has_header,
        _decimal(values, delimiter, path),
        tuple(rows[0]) if has_header else tuple(map(str, range(num_columns))),
        tuple(
            place for place, column in enumerate(zip(*values, strict=True)) if any(map(LEADING_ZERO.fullmatch, column))
        ),
    )


def beginning(content: bytes) -> str:
    """Return the first characters of a text, in quotes."""
    return repr(content[:240].decode(errors="ignore").lstrip().splitlines()[0][:60])


def _records(sample: str, delimiter: str, *, cut: bool) -> list[list[str]]:
    reader = csv.reader(sample.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True)
    records = []
    try:
        for record in reader:
            if record:
                records.append(record)
            if len(records) > SAMPLE_RECORDS:
                return records
    except csv.Error:  # a cell beyond the limit of the csv module: what was read tells enough
        pass
    return records[:-1] if cut and len(records) > 1 else records or [[""]]


def _has_header(rows: Sequence[Sequence[str]], *, target_column: object) -> bool:
    first, rest = rows[0], rows[1:]
    if isinstance(target_column, str) and target_column in [cell.strip() for cell in first]:
        return True
    if _counts_columns(first):
        return True
    for cell, *others in zip(first, *rest, strict=True):
        filled = [other for other in others if other.strip() not in MISSING]
        if cell.strip() and filled and all(map(_is_number, filled)) and not _is_number(cell):
            return cell.strip() not in MISSING
    return not any(map(_is_number, first))


def _counts_columns(first: Sequence[str]) -> bool:
    """Tell whether cells are 0, 1, 2, …, as pandas names columns that have no names."""
    names = [cell.strip() for cell in first if cell.strip()]
    return len(names) >= FEWEST_COUNTED and names == [str(number) for number in range(len(names))]


def _is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or DECIMAL_COMMA.fullmatch(cell))


def _decimal(rows: Sequence[Sequence[str]], delimiter: str, path: Path) -> str:
    cells = [cell for row in rows for cell in row]
    with_commas = [cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)] if delimiter != "," else []
    if not with_commas or any("." in cell and NUMBER.fullmatch(cell) for cell in cells):
        return "."
    if all(map(MAYBE_THOUSANDS.fullmatch, with_commas)):
        said = with_commas[0].strip()
        raise UserError(
            f"{path}: {said!r} may be {said.replace(',', '')} or {said.replace(',', '.')}, as all numbers with a comma "
            "have three digits after it; write them without thousands separators, or with a decimal point"
        )
    return ","
