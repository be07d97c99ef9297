"""CSV and its relatives: how a file is written is found out and told; text becomes columns."""

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from bnbench.datasets.files.content import read_content, refuse_impostor
from bnbench.datasets.files.dialect import DELIMITERS, MISSING, SAMPLE_BYTES, Dialect, beginning, find_dialect
from bnbench.errors import UserError

# a line may be long: a row of a thousand columns must not straddle two blocks
BLOCK_BYTES = 1 << 24
MALFORMED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
# the marks at the beginning of other encodings of Unicode, the longer ones first
MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def read_delimited(
    path: Path, *, target_column: object = None, names_columns: Collection[object] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns of a CSV, and notes on how it was read.

    The first row is a header where it has text above a column of numbers, or no number at all; or where it has the
    name `target_column`, or is 0, 1, 2, …; columns without a header are named by their numbers from 0. A first column
    without a name that numbers the rows is left out, and what is not UTF-8 is read as Latin-1; notes say so. Whole
    numbers that begin with a zero keep it in `names_columns`, which are of names; of others a note says that they do
    not. Raises UserError that names the row where a row has more or fewer cells than the others.
    """
    content, notes = to_utf_8(read_content(path), path)
    dialect = find_dialect(content, path, target_column=target_column)
    of_names = dialect.places(names_columns).intersection(dialect.with_zeros)
    frame = _parse(content, path, dialect, as_text=[dialect.names[place] for place in of_names])
    if frame.empty:
        raise UserError(f"{path} has no row under its header; expected a table")
    named = "a header" if dialect.has_header else "no header, columns are numbered from 0"
    comma = ", decimal comma" if dialect.decimal == "," else ""
    notes = [f"read as CSV: {DELIMITERS[dialect.delimiter]} between cells, {named}{comma}", *notes]
    if lost := [dialect.names[place].strip() for place in dialect.with_zeros if place not in of_names]:
        notes.append(
            f"read as numbers, so without the zeros before them: {', '.join(map(repr, lost))}; "
            f"dataset.categorical_columns=[{','.join(lost)}] reads names (of a target: dataset.kind=classification)"
        )
    if dialect.has_header:
        frame = frame.set_axis([str(column).strip() for column in frame], axis=1)
        frame = _without_row_numbers(frame, notes)
        names = [str(column) or f"column {place}" for place, column in enumerate(frame)]
        frame = frame.set_axis(names, axis=1)
    return frame, notes


def to_utf_8(content: bytes, path: Path) -> tuple[bytes, list[str]]:
    """Return the content in UTF-8 without a mark, and a note where that took a guess."""
    refuse_impostor(content, path, expected="a CSV file")
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            try:
                return content.decode(encoding).encode(), []
            except UnicodeDecodeError as error:
                said = f"{path} begins as {encoding.upper()} and is none ({error.reason})"
                raise UserError(f"{said}; expected a CSV file") from error
    if b"\0" in content[:SAMPLE_BYTES]:
        raise UserError(
            f"{path} holds binary data (a zero byte at {content.index(0)}), expected a CSV file; UTF-16 without a mark "
            "at its beginning is to be saved as UTF-8"
        )
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise UserError(f"{path} has nothing but blanks, expected a CSV file")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        note = f"not UTF-8 (byte {error.start}), read as Latin-1: text with accents may be wrong"
        return content.decode("latin-1").encode(), [note]
    return content, []


def _parse(content: bytes, path: Path, dialect: Dialect, *, as_text: Collection[str]) -> pd.DataFrame:
    names = None if dialect.has_header else list(dialect.names)

    def parse(*, use_threads: bool) -> pa.Table:
        return arrow_csv.read_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=use_threads, block_size=BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                null_values=MISSING,
                strings_can_be_null=True,
                decimal_point=dialect.decimal,
                column_types=dict.fromkeys(as_text, pa.string()),
            ),
        )

    try:
        return parse(use_threads=True).to_pandas()
    except pa.ArrowInvalid:
        try:
            # a single thread knows the row that is wrong
            return parse(use_threads=False).to_pandas()
        except pa.ArrowInvalid as error:
            raise UserError(f"{path}: {_said(str(error), dialect, content)}") from error


def _said(error: str, dialect: Dialect, content: bytes) -> str:
    malformed = MALFORMED.search(error)
    if malformed is None:
        return f"no CSV file: {error}"
    line, expected, found = map(int, malformed.groups())
    width = len(dialect.names)
    of_first = expected if dialect.has_header else found if line == 1 else width
    if of_first != width:
        return (
            f"its first line has {of_first} cells and most of the others {width}: take away what stands "
            f"above the table, or complete its header. It begins with {beginning(content)}"
        )
    row = line - 1 - dialect.has_header
    return (
        f"row {row} has {found} cells, the rows before it {expected} (line {line}, counting no blank ones or those "
        "within quotes): a cut-off file, or a cell with a delimiter in it that is not in quotes"
    )


def _without_row_numbers(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out the nameless first column in which some programs number the rows, in any order: a sorted table would
    be told by it."""
    first = frame.iloc[:, 0]
    if frame.columns[0] not in ("", "Unnamed: 0") or first.dtype.kind != "i" or not first.is_unique:
        return frame
    counts = "counts" if (np.diff(first) == 1).all() else "numbers"
    notes.append(f"left out: the first column, which has no name and {counts} the rows")
    return frame.iloc[:, 1:]
