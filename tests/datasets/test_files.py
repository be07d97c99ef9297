"""dataset=file: whatever form a table has, it is the same table; whatever is wrong with a file, one message says so."""

import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from bnbench.datasets import DatasetConfig, Task, load
from bnbench.datasets.files.delimited import read_delimited
from bnbench.errors import UserError

ROWS = 120


def configure(path: Path, **changes: Any) -> DatasetConfig:
    values: dict[str, Any] = {"name": "homes", "source": "file", "preprocessing": "standardize"}
    return DatasetConfig(**(values | {"path": str(path), "target_column": "price"} | changes))


def homes(num_rows: int = ROWS) -> pd.DataFrame:
    """A table of numbers with gaps, whole numbers, text with a comma in it and amounts."""
    generator = np.random.default_rng(0)
    size = generator.normal(size=num_rows).round(3)
    size[3:9] = np.nan
    return pd.DataFrame(
        {
            "size": size,
            "rooms": generator.integers(1, 9, num_rows),
            "city": generator.choice(["Graz", "Wien, 1. Bezirk", 'the "Linz"'], num_rows),
            "price": (1e5 * generator.normal(size=num_rows)).round(2),
        }
    )


FORMS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "homes.csv": lambda frame, path: frame.to_csv(path, index=False),
    "homes.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "homes.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "homes.txt": lambda frame, path: frame.to_csv(path, index=False, sep="|"),
    "excel.csv": lambda frame, path: frame.to_csv(path, index=False, sep=";", decimal=",", encoding="utf-8-sig"),
    "dos.csv": lambda frame, path: frame.to_csv(path, index=False, lineterminator="\r\n"),
    "wide.csv": lambda frame, path: frame.to_csv(path, index=False, encoding="utf-16"),
    "counted.csv": lambda frame, path: frame.to_csv(path),
    "unknown.csv": lambda frame, path: frame.to_csv(path, index=False, na_rep="?"),
    "homes.parquet": lambda frame, path: frame.to_parquet(path),
    "homes.parquet.brotli": lambda frame, path: frame.to_parquet(path, compression="brotli"),
}


@pytest.fixture(scope="module")
def as_parquet(tmp_path_factory: pytest.TempPathFactory) -> Task:
    path = tmp_path_factory.mktemp("files") / "homes.parquet"
    homes().to_parquet(path)
    return load(configure(path))


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_the_same_data_set_in_every_form(form: str, tmp_path: Path, as_parquet: Task) -> None:
    FORMS[form](homes(), tmp_path / form)
    task = load(configure(tmp_path / form))
    assert task.checksum == as_parquet.checksum
    assert task.feature_names == as_parquet.feature_names
    assert (task.kind, task.metric_name, len(task.train_labels)) == ("regression", "rmse", 72)


def test_columns_without_a_header_are_numbered(tmp_path: Path, as_parquet: Task) -> None:
    homes().to_csv(tmp_path / "homes.csv", index=False, header=False)
    by_number = load(configure(tmp_path / "homes.csv", target_column=3))
    assert by_number.checksum == as_parquet.checksum
    assert load(configure(tmp_path / "homes.csv", target_column=-1)).checksum == as_parquet.checksum
    assert "no header, columns are numbered from 0" in "\n".join(by_number.report)


@pytest.mark.parametrize(
    ("text", "target", "columns"),
    [
        ("name,2019,2020\na,1,2\nb,3,4\n", "2020", ["name", "2019", "2020"]),  # the years are names, as the target says
        ("1,2\n3,4\n", None, ["0", "1"]),
        ("0,1\n1,1\n", None, ["0", "1"]),
        ("0,1,2\n0.5,1.5,0.1\n", None, ["0", "1", "2"]),  # as pandas names columns that have no names
        ("a,b\nx,y\nz,w\n", None, ["a", "b"]),  # text over text
        ("a, b \n1, 2\n", None, ["a", "b"]),
        ("a,b\n?,NA\n1,2\n", None, ["a", "b"]),
        ("a;b\n1,5;2,5\n", None, ["a", "b"]),
    ],
)
def test_header_is_found_out(tmp_path: Path, text: str, target: str | None, columns: list[str]) -> None:
    (tmp_path / "table.csv").write_text(text)
    frame, _ = read_delimited(tmp_path / "table.csv", target_column=target)
    assert list(frame) == columns
    assert len(frame) == len(text.splitlines()) - (text.splitlines()[0] not in ("1,2", "0,1"))


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), cells), min_size=2, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
)
def test_numbers_and_quoted_text_are_read_as_they_were_written(
    tmp_path: Path, rows: list[tuple[float, str]], delimiter: str
) -> None:
    frame = pd.DataFrame(rows, columns=["number", "text"])
    frame["text"] = "_" + frame["text"].str.replace("\r", "")  # a lone \r ends a line to some programs
    frame.to_csv(tmp_path / "table.csv", index=False, sep=delimiter, quoting=2)
    read, _ = read_delimited(tmp_path / "table.csv")
    assert read["number"].tolist() == frame["number"].tolist()
    assert read["text"].tolist() == frame["text"].tolist()


def test_amounts_far_down_a_column_of_whole_numbers_are_read(tmp_path: Path) -> None:
    text = "a,b\n" + "1,2\n" * 3_000_000 + "1.5,2\n"  # beyond the block that the types are told by
    (tmp_path / "long.csv").write_text(text)
    frame, _ = read_delimited(tmp_path / "long.csv")
    assert (frame["a"].iloc[-1], len(frame)) == (1.5, 3_000_001)


def test_latin_1_is_read_and_said(tmp_path: Path) -> None:
    homes().assign(city="Zürich").to_csv(tmp_path / "homes.csv", index=False, encoding="latin-1")
    task = load(configure(tmp_path / "homes.csv"))
    assert "city=Zürich" in task.feature_names
    assert "read as Latin-1" in "\n".join(task.report)


def test_arrays_are_the_same_data_set_in_every_form(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(60, 3)), generator.integers(0, 3, 60)
    both = np.column_stack([X, y])
    np.savez(tmp_path / "two.npz", X=X, y=y)
    np.savez_compressed(tmp_path / "lower.npz", x=X, y=y[:, None])
    np.savez(tmp_path / "one.npz", table=both)
    np.save(tmp_path / "one.npy", both)
    np.save(tmp_path / "big.npy", both.astype(">f8"))
    (tmp_path / "one.npy.gz").write_bytes(gzip.compress((tmp_path / "one.npy").read_bytes()))
    single = {"target_column": -1, "kind": "classification"}
    tasks = [
        load(configure(tmp_path / "two.npz", target_column=None)),
        load(configure(tmp_path / "lower.npz", target_column=None)),
        *(load(configure(tmp_path / name, **single)) for name in ("one.npz", "one.npy", "one.npy.gz", "big.npy")),
    ]
    assert {task.checksum for task in tasks} == {tasks[0].checksum}


def test_gaps_in_an_array_are_filled_and_said(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[:20, 1] = np.nan
    np.savez(tmp_path / "gaps.npz", X=X, y=np.arange(60) % 2)
    assert load(configure(tmp_path / "gaps.npz", target_column=None)).num_features == 4


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_images_are_read_with_the_labels_beside_them(tmp_path: Path, ending: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 5), dtype=np.uint8)
    pack = gzip.compress if ending else bytes
    (tmp_path / f"train-images-idx3-ubyte{ending}").write_bytes(pack(idx(images)))
    config = configure(
        tmp_path / f"train-images-idx3-ubyte{ending}", target_column=None, preprocessing="scale", kind="classification"
    )
    with pytest.raises(UserError, match=rf"labels are missing, expected in .*train-labels-idx1-ubyte{ending}$"):
        load(config)
    (tmp_path / f"train-labels-idx1-ubyte{ending}").write_bytes(pack(idx(np.arange(60, dtype=np.uint8) % 3)))
    task = load(config)
    assert (task.num_features, task.num_outputs) == (20, 3)
    assert 0.0 <= float(task.train_inputs[:].min()) <= float(task.train_inputs[:].max()) <= 1.0


def test_right_checksum_is_accepted_and_a_wrong_one_refused(tmp_path: Path) -> None:
    homes().to_csv(tmp_path / "homes.csv", index=False)
    found = hashlib.sha256((tmp_path / "homes.csv").read_bytes()).hexdigest()
    load(configure(tmp_path / "homes.csv", checksum=found))
    with pytest.raises(UserError, match=rf"^dataset.checksum=00ff: .*homes.csv has the SHA-256 {found}"):
        load(configure(tmp_path / "homes.csv", checksum="00ff"))


def pickled() -> bytes:
    return b"\x80\x04\x95\x04\x00\x00\x00\x00\x00\x00\x00}\x94."


def saved(path: Path, array: Any) -> bytes:
    np.save(path, array)
    return path.read_bytes()


# what is written to a file of this name, and what the message says beside the name
BAD: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n \n", "nothing but blanks"),
    "page.csv": (b"<!DOCTYPE html><html>404</html>", "is a web page, expected a CSV file"),
    "page.parquet": (b"\n<html>404</html>", "is a web page, expected a Parquet file"),
    "page.npz": (b"<html>404</html>", "is a web page, expected arrays"),
    "page.npy": (b"<html>404</html>", "is a web page, expected an array"),
    "denied.csv": (b"<?xml version='1.0'?><Error/>", "is an XML document"),
    "pointer.csv": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a pointer of Git LFS"),
    "cut.csv.gz": (gzip.compress(b"a,b\n" * 99)[:20], "is cut off or damaged"),
    "cut.npy.gz": (gzip.compress(b"a,b\n" * 99)[:20], "is cut off or damaged"),
    "cut.csv": (b"a,b,price\n" + b"1,2,3\n" * 50 + b"1,2", r"row 50 has 2 cells, the rows before it 3"),
    "no rows.csv": (b"a,b,price\n", "no row under its header"),
    "one line.csv": (b'{"error": "not found", "code": 404}', "no row under its header, or is no table"),
    "thousands.csv": (b"a;price\n1,234;2\n999;3\n", "'1,234' may be 1234 or 1.234"),
    "commas.csv": (b"a,price\n" + b'"1,234",2\n950,3\n' * 9, "not written plainly: 'a' has '1,234' in row 0 and 9"),
    "europe.csv": (b"a;price\n" + b"1.234,50;2,5\n" * 9, "not written plainly: 'a' has '1.234,50' in row 0"),
    "dollars.csv": (b"a,price\n" + b"2,$7\n" * 9, "not written plainly: 'price' has '\\$7' .*kind=classification"),
    "per cent.csv": (b"a,price\n" + b"7 %,2\n8 %,1\n" * 9, r"'7 %' in row 0 .*categorical_columns=\[a\]"),
    "words.csv": (b"a;price\n" + b"1,5;2\n" * 9 + b"x;1\n", "text in a numeric column: 'a' has 'x' in row 9"),
    "comment.csv": (b"# mine\na,b,price\n" + b"1,2,3\n" * 9, "first line has 1 cells and most of the others 3"),
    "header.csv": (b"a,price\n" + b"1,2,3\n" * 9, "first line has 2 cells and most of the others 3"),
    "more.csv": (b"a,b,price\n1,2,3\n1,2,3,4\n", r"row 1 has 4 cells, the rows before it 3 \(line 3"),
    "junk.csv": (bytes(range(256)) * 9, "holds binary data"),
    "single.csv": (b"price\n1\n2\n", "its rows have one cell each"),
    "text.csv": (b"a,price\n" + b"1,2\n" * 30 + b"x,3\n", "text in a numeric column: 'a' has 'x' in row 30"),
    "junk.parquet": (b"PAR1junkPAR1", "is no Parquet file, or one that is cut off"),
    "junk.npz": (b"PK\x03\x04junk", "is none of NumPy's files"),
    "junk.npy": (b"\x93NUMPY\x01\x00junk", "is none of NumPy's files"),
    "pickle.npy": (pickled(), "objects are pickles, which run code"),
    "model.pkl": (pickled(), r"unknown ending '.pkl' \(a pickle, which runs code when it is read\)"),
    "homes.xlsx": (b"PK", r"unknown ending '.xlsx' \(a spreadsheet: save it as CSV\)"),
    "homes": (b"a,b\n1,2\n", "unknown ending ''"),
    "homes.parquet.gz": (b"PAR1", "not read from .gz; unpack it first"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_named_with_what_is_wrong(name: str, tmp_path: Path) -> None:
    content, said = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        load(configure(tmp_path / name, name=name, target_column=None if name.endswith("npz") else "price"))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_decimal_commas_are_told_from_thousands_by_one_number(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a;b\n1,234;2\n0,5;3\n")
    frame, notes = read_delimited(tmp_path / "table.csv")
    assert frame["a"].tolist() == [1.234, 0.5]
    assert "decimal comma" in notes[0]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_marked_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "table.csv").write_text("größe,b\n1,ł\n2,ö\n", encoding=encoding)
    frame, notes = read_delimited(tmp_path / "table.csv")
    assert (list(frame), frame["b"].tolist(), len(notes)) == (["größe", "b"], ["ł", "ö"], 1)


@pytest.mark.parametrize("column", ["zip", 0, "-3"])
def test_zeros_before_whole_numbers_stay_in_columns_of_names_and_are_told_elsewhere(
    tmp_path: Path, column: object
) -> None:
    (tmp_path / "table.csv").write_text("zip,a,b\n01,1,2\n1,2,3\n")
    frame, notes = read_delimited(tmp_path / "table.csv", names_columns=[column])
    assert frame["zip"].tolist() == ["01", "1"]
    assert len(notes) == 1
    frame, notes = read_delimited(tmp_path / "table.csv")
    assert frame["zip"].tolist() == [1, 1]
    assert "without the zeros before them: 'zip'; dataset.categorical_columns=[zip]" in notes[1]


def test_classes_that_differ_by_zeros_before_them_stay_apart_where_asked_for(tmp_path: Path) -> None:
    (tmp_path / "homes.csv").write_text("a,price\n" + "1,01\n2,1\n3,001\n" * 9)
    task = load(configure(tmp_path / "homes.csv", kind="classification"))
    assert task.num_outputs == 3


def test_a_shuffled_index_without_a_name_is_left_out_and_said(tmp_path: Path) -> None:
    homes().sample(frac=0.5, random_state=0).to_csv(tmp_path / "homes.csv")
    frame, notes = read_delimited(tmp_path / "homes.csv")
    assert list(frame) == list(homes())
    assert "the first column, which has no name and numbers the rows" in notes[1]


def test_the_index_of_a_frame_that_has_a_name_is_a_column_of_its_file(tmp_path: Path) -> None:
    homes().to_parquet(tmp_path / "homes.parquet")
    homes().set_index("price").to_parquet(tmp_path / "index.parquet")
    by_index = load(configure(tmp_path / "index.parquet"))
    assert by_index.checksum == load(configure(tmp_path / "homes.parquet")).checksum


def test_parquet_with_two_columns_of_a_name_is_told_so(tmp_path: Path) -> None:
    columns = pa.table([[1.0, 2.0]] * 3, names=["a", "a", "price"])
    parquet.write_table(columns, tmp_path / "homes.parquet")
    with pytest.raises(UserError, match="'a': two columns of that name"):
        load(configure(tmp_path / "homes.parquet"))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.parquet"])
def test_file_that_is_cut_off_anywhere_is_named(name: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / name
    array = np.random.default_rng(0).normal(size=(50, 3))
    if name.endswith("npz"):
        np.savez(path, X=array, y=np.arange(50) % 2)
    elif name.endswith("npy"):
        np.save(path, array)
    else:
        homes().to_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=rf"{path} "):
        load(configure(path, target_column=None if name.endswith("npz") else "price"))


@pytest.mark.parametrize("name", ["objects.npy", "objects.npz"])
def test_arrays_of_objects_are_refused_unread(name: str, tmp_path: Path) -> None:
    objects = np.array([[{}, 1], [2, 3]], dtype=object)
    np.save(tmp_path / name, objects) if name.endswith("npy") else np.savez(tmp_path / name, X=objects, y=[0, 1])
    with pytest.raises(UserError, match="objects are pickles, which run code"):
        load(configure(tmp_path / name, target_column=None))


@pytest.mark.parametrize(
    ("arrays", "target", "message"),
    [
        ({"X": np.ones((4, 2)), "y": np.arange(4)}, "price", "has its labels in y; expected null"),
        ({"X": np.ones((4, 2)), "z": np.arange(4)}, None, "has the arrays X, z; expected X and y, or a single one"),
        ({"X": np.ones((4, 2)), "y": np.arange(3)}, None, r"X of shape \(4, 2\) and y of shape \(3,\)"),
        ({"X": np.array([["a"], ["b"]]), "y": np.arange(2)}, None, "X holds <U1, expected numbers"),
        ({"table": np.ones((4, 3))}, None, "number the column to predict, from 0, or from the end with -1; .* has 3"),
        ({"table": np.ones(4)}, -1, r"an array of shape \(4,\), expected \(rows, columns\)"),
        ({"table": np.ones((4, 3))}, 3, r"target_column=3: no such column"),
    ],
)
def test_arrays_that_make_no_table_are_refused(
    arrays: dict[str, Any], target: Any, message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "table.npz", **arrays)
    with pytest.raises(UserError, match=message):
        load(configure(tmp_path / "table.npz", target_column=target))


def test_wrong_path_is_answered_with_the_nearest_file_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "homes.csv").write_text("a,b\n")
    with pytest.raises(UserError, match=rf"homs.csv: no such file; in {tmp_path}: did you mean 'homes.csv'\?"):
        load(configure(tmp_path / "homs.csv"))
    with pytest.raises(UserError, match=rf"there is no folder {tmp_path}/data, only {tmp_path}$"):
        load(configure(tmp_path / "data" / "homes.csv"))
    with pytest.raises(UserError, match=r"is a folder, expected a file in it; Choose from: homes.csv"):
        load(configure(tmp_path))


def test_wrong_column_is_answered_with_the_nearest(tmp_path: Path) -> None:
    homes().to_csv(tmp_path / "homes.csv", index=False)
    with pytest.raises(UserError, match=r"target_column=prize: no such column; did you mean 'price'\?"):
        load(configure(tmp_path / "homes.csv", target_column="prize"))


def test_no_path_is_asked_for() -> None:
    with pytest.raises(UserError, match=r"^dataset.path=null: name the file to read"):
        load(DatasetConfig(name="homes", source="file", preprocessing="standardize"))
