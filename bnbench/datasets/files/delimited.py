"""CSV and its relatives: delimiter, header, decimal comma and encoding are found out and told."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from bnbench.datasets.files.content import read_content, refuse_impostor
from bnbench.errors import UserError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE_BYTES = 1 << 18
SAMPLE_RECORDS = 500
# a line may be long: a row of a thousand columns must not straddle two blocks
BLOCK_BYTES = 1 << 24
# two cells 0 and 1 may well be the first row of a table of zeros and ones
FEWEST_COUNTED = 3
# beside what pandas and Arrow take for missing, UCI's question mark
MISSING = [*arrow_csv.ConvertOptions().null_values, "?", " ?", " NA", " "]
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
MALFORMED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Dialect:
    """How a file is written: its first rows, as far as they say it."""

    delimiter: str
    has_header: bool
    decimal: str
    num_columns: int


def read_delimited(path: Path, *, target_column: object = None) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns of a CSV, and notes on how it was read.

    The first row is a header where it has text above a column of numbers, or no number at all; or where it has the
    name `target_column`, or is 0, 1, 2, …; columns without a header are named by their numbers from 0. A first column
    without a name that counts the rows is left out, and what is not UTF-8 is read as Latin-1; notes say so. Raises
    UserError that names the row where a row has more or fewer cells than the others.
    """
    content, notes = _text(read_content(path), path)
    dialect = _dialect(content, path, target_column=target_column)
    frame = _parse(content, path, dialect)
    named = "a header" if dialect.has_header else "no header, columns are numbered from 0"
    comma = ", decimal comma" if dialect.decimal == "," else ""
    notes = [f"read as CSV: {DELIMITERS[dialect.delimiter]} between cells, {named}{comma}", *notes]
    if dialect.has_header:
        frame = frame.set_axis([str(column).strip() for column in frame], axis=1)
        frame = _without_row_numbers(frame, notes)
        names = [str(column) or f"column {place}" for place, column in enumerate(frame)]
        frame = frame.set_axis(names, axis=1)
    return frame, notes


def _text(content: bytes, path: Path) -> tuple[bytes, list[str]]:
    """Return UTF-8."""
    refuse_impostor(content, path, expected="a CSV file")
    if content.startswith(UTF_16):
        try:
            return content.decode("utf-16").encode(), []
        except UnicodeDecodeError as error:
            raise UserError(f"{path} begins as UTF-16 and is none ({error.reason}); expected a CSV file") from error
    if b"\0" in content[:SAMPLE_BYTES]:
        raise UserError(f"{path} holds binary data (a zero byte at {content.index(0)}), expected a CSV file")
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise UserError(f"{path} has nothing but blanks, expected a CSV file")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        note = f"not UTF-8 (byte {error.start}), read as Latin-1: text with accents may be wrong"
        return content.decode("latin-1").encode(), [note]
    return content, []


def _dialect(content: bytes, path: Path, *, target_column: object) -> Dialect:
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
            f"expected a table. It begins with {sample.splitlines()[0][:60]!r}"
        )
    rows = [record for record in records[delimiter] if len(record) == num_columns]
    has_header = _has_header(rows, target_column=target_column)
    return Dialect(delimiter, has_header, _decimal(rows[has_header:], delimiter), num_columns)


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


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    cells = [cell for row in rows for cell in row]
    has_commas = delimiter != "," and any(map(DECIMAL_COMMA.fullmatch, cells))
    return "," if has_commas and not any("." in cell and NUMBER.fullmatch(cell) for cell in cells) else "."


def _parse(content: bytes, path: Path, dialect: Dialect) -> pd.DataFrame:
    names = None if dialect.has_header else [str(column) for column in range(dialect.num_columns)]

    def parse(*, use_threads: bool) -> pa.Table:
        return arrow_csv.read_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=use_threads, block_size=BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                null_values=MISSING, strings_can_be_null=True, decimal_point=dialect.decimal
            ),
        )

    try:
        return parse(use_threads=True).to_pandas()
    except pa.ArrowInvalid:
        try:
            # a single thread knows the row that is wrong
            return parse(use_threads=False).to_pandas()
        except pa.ArrowInvalid as error:
            raise UserError(f"{path}: {_said(str(error), dialect)}") from error


def _said(error: str, dialect: Dialect) -> str:
    if malformed := MALFORMED.search(error):
        line, expected, found = map(int, malformed.groups())
        row = line - 1 - dialect.has_header
        return (
            f"row {row} has {found} cells, the rows before it {expected} (line {line}, counting no blank ones or those "
            "within quotes): a cut-off file, or a cell with a delimiter in it that is not in quotes"
        )
    return f"no CSV file: {error}"


def _without_row_numbers(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out the nameless first column in which some programs count the rows: a sorted table would be told by it."""
    first = frame.iloc[:, 0]
    if frame.columns[0] not in ("", "Unnamed: 0") or first.dtype.kind != "i" or not (np.diff(first) == 1).all():
        return frame
    notes.append("left out: the first column, which has no name and counts the rows")
    return frame.iloc[:, 1:]
