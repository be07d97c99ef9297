"""A history survives the disk bit for bit, and a file that is not one is named."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bnbench.records import History
from bnbench.records import history as module

COLUMNS = ["seed", "step", "epoch", "samples", "train_loss", "val_loss", "val_rmse", "learning_rate"]


@pytest.fixture
def history() -> History:
    step = np.array([0, 10, 20])
    return History(
        seed=np.array([7, 7, 2**62]),
        step=step,
        epoch=step / 3,
        samples=step * 64,
        train_loss=np.array([np.nan, 0.1, 5e-324]),
        val_loss=np.array([np.inf, -np.inf, 1.7e308]),
        val_metric=np.array([0.1, 0.2, 1 / 3]),
        learning_rate=np.full(3, 0.1),
    )


@pytest.fixture
def file(history: History, tmp_path: Path) -> Path:
    path = tmp_path / "history.parquet"
    path.write_bytes(module.to_bytes(history.to_table("rmse")))
    return path


def test_the_columns_are_those_of_the_contract(file: Path) -> None:
    schema = pq.read_schema(file)
    assert schema.names == COLUMNS
    assert [str(kind) for kind in schema.types] == ["int64", "int64", "double", "int64"] + ["double"] * 4


def test_a_history_reads_back_bit_for_bit(history: History, file: Path) -> None:
    table = module.read_table(file, metric="rmse", rows=3)
    assert isinstance(table, pa.Table)
    back = History.from_table(table)
    for name in ("seed", "step", "epoch", "samples", "train_loss", "val_metric", "learning_rate"):
        np.testing.assert_array_equal(getattr(back, name), getattr(history, name), strict=True)


def test_what_is_not_finite_is_null_on_disk_and_nan_in_memory(file: Path) -> None:
    assert pq.read_table(file).column("val_loss").to_pylist() == [None, None, 1.7e308]
    table = module.read_table(file, metric="rmse", rows=3)
    assert isinstance(table, pa.Table)
    np.testing.assert_array_equal(History.from_table(table).val_loss, [np.nan, np.nan, 1.7e308])


def test_columns_of_different_length_are_refused() -> None:
    columns = {name: np.zeros(3) for name in ("epoch", "train_loss", "val_loss", "val_metric", "learning_rate")}
    counts = {name: np.zeros(3, dtype=np.int64) for name in ("seed", "step")}
    uneven = History(**columns, **counts, samples=np.zeros(2, dtype=np.int64))
    with pytest.raises(ValueError, match=r"differ in length.*'samples': 2"):
        uneven.to_table("accuracy")


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_a_truncated_file_is_named_damaged(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    assert "history.parquet is damaged or truncated" in str(module.read_table(file, metric="rmse", rows=3))


def test_no_flipped_bit_passes_for_a_result(history: History, file: Path) -> None:
    """Every single byte is damaged in turn: the reader either says so or returns the very same numbers."""
    content = file.read_bytes()
    expected = pq.read_table(file)
    silent = []
    for position in range(len(content)):
        file.write_bytes(content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :])
        table = module.read_table(file, metric="rmse", rows=3)
        if not isinstance(table, str) and not table.equals(expected):
            silent.append(position)
    assert silent == []


def test_another_number_of_rows_is_named(file: Path) -> None:
    assert module.read_table(file, metric="rmse", rows=4) == "history.parquet holds 3 rows, run.json says 4"


def test_another_metric_is_named(file: Path) -> None:
    assert "expected seed int64, step int64, epoch double" in str(module.read_table(file, metric="accuracy", rows=3))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert module.read_table(tmp_path / "history.parquet", metric="rmse", rows=3) == "history.parquet is missing"


def test_a_named_pipe_does_not_hang_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "history.parquet")
    assert "is not a plain file" in str(module.read_table(tmp_path / "history.parquet", metric="rmse", rows=3))


def test_more_rows_than_memory_holds_are_refused_unread(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    assert module.read_table(file, metric="rmse", rows=3) == "history.parquet claims 3 rows; at most 2 are read"
