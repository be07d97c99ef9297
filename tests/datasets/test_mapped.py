"""Rows that stay in their file are the rows in memory, bit for bit; what is remembered of a file is of that file."""

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from bnbench.datasets import DatasetConfig, Task, load, mapped, remembered, storage
from bnbench.datasets.affine_fit import fit_affine
from bnbench.datasets.mapped import MappedArray, MappedRows
from bnbench.datasets.preprocessing import Features
from bnbench.errors import UserError

PARTS = ("train", "validation", "test")
ROWS, FEATURES = 700, 6
Configure = Callable[..., DatasetConfig]


@pytest.fixture(autouse=True)
def small_blocks_and_a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(remembered, "WORTH_REMEMBERING_BYTES", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def numbers(dtype: str = "f4", *, shape: tuple[int, ...] = (ROWS, FEATURES)) -> np.ndarray:
    """Ill-conditioned rows with a constant column."""
    values = np.random.default_rng(0).normal(size=shape) * 30 + 50
    values[:, 1] = 7
    if dtype in ("f4", "f8", ">f4"):
        values[:, 0] = values[:, 0] * 1e-3 + 1e4
    return values.clip(0, 200).astype(dtype) if dtype.endswith("1") else values.astype(dtype)


def classes(rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 3, rows)


def write_npz(path: Path, inputs: np.ndarray, labels: np.ndarray, **_: Any) -> None:
    np.savez(path, X=inputs, y=labels)


def write_npy(path: Path, inputs: np.ndarray, labels: np.ndarray, *, target: int) -> None:
    np.save(path, np.insert(inputs, target % (inputs.shape[1] + 1), labels, axis=1))


def configured(path: Path, **changes: Any) -> DatasetConfig:
    target = -1 if path.suffix == ".npy" else None
    values = {"name": "big", "source": "file", "preprocessing": "standardize", "target_column": target}
    return DatasetConfig(**(values | {"path": str(path), "kind": "classification"} | changes))


def both_ways(path: Path, **changes: Any) -> tuple[Task, Task]:
    tasks = [load(configured(path, **changes, storage=storage)) for storage in ("memory", "mapped")]
    assert isinstance(tasks[0].train_inputs, torch.Tensor)
    assert isinstance(tasks[1].train_inputs, MappedRows)
    return tasks[0], tasks[1]


def assert_same(memory: Task, mapped: Task) -> None:
    assert mapped.checksum == memory.checksum
    assert (mapped.num_features, mapped.trivial) == (memory.num_features, memory.trivial)
    for part in PARTS:
        ours, theirs = getattr(mapped, f"{part}_inputs"), getattr(memory, f"{part}_inputs")
        assert (ours.shape, ours.dtype, len(ours)) == (theirs.shape, theirs.dtype, len(theirs))
        assert torch.equal(ours[:], theirs)
        assert torch.equal(getattr(mapped, f"{part}_labels"), getattr(memory, f"{part}_labels"))
    chosen = torch.randint(len(memory.train_inputs), (50,), generator=torch.Generator().manual_seed(0))
    assert torch.equal(mapped.train_inputs.take(chosen), memory.train_inputs[chosen])


@pytest.mark.parametrize("preprocessing", ["none", "center", "standardize"])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "u1", "i2", "i8", "f2"])
def test_rows_and_checksum_are_those_in_memory(tmp_path: Path, dtype: str, preprocessing: str) -> None:
    """Those of a .npz begin at an odd place of the file."""
    path = tmp_path / "big.npz"
    write_npz(path, numbers(dtype), classes())
    memory, mapped = both_ways(path, preprocessing=preprocessing)
    assert_same(memory, mapped)
    assert mapped.report == memory.report


@pytest.mark.parametrize("preprocessing", ["none", "center", "standardize"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize("target", [0, 2, -1])
def test_target_may_be_any_column(tmp_path: Path, target: int, dtype: str, preprocessing: str) -> None:
    path = tmp_path / "big.npy"
    write_npy(path, numbers(dtype), classes(), target=target)
    memory, mapped = both_ways(path, target_column=target, preprocessing=preprocessing)
    assert_same(memory, mapped)
    assert mapped.feature_names == memory.feature_names


def test_amounts_are_predicted_as_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    write_npz(path, numbers("f8"), np.random.default_rng(2).normal(size=ROWS))
    assert_same(*both_ways(path, kind=None))


def test_images_of_an_idx_file_stay_in_it(tmp_path: Path) -> None:
    images = numbers("u1", shape=(ROWS, 4, 5))
    for name, array in {"images-idx3-ubyte": images, "labels-idx1-ubyte": classes().astype("u1")}.items():
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (tmp_path / name).write_bytes(head + array.tobytes())
    assert_same(*both_ways(tmp_path / "images-idx3-ubyte", preprocessing="scale"))


def test_one_feature_is_fitted_as_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    write_npz(path, numbers("f8")[:, :1], classes())
    assert_same(*both_ways(path))


@pytest.mark.parametrize("features", [2, 3, 8, 33])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fit_in_blocks_is_scikit_learns(tmp_path: Path, dtype: str, features: int) -> None:
    values = numbers(dtype, shape=(5000, features))
    np.save(tmp_path / "big.npy", values)
    array = MappedArray(tmp_path / "big.npy", offset=128, dtype=values.dtype, shape=values.shape)
    found = fit_affine(MappedRows(array, np.arange(5000)), "standardize", Features("big"))
    scaler = StandardScaler().fit(values)
    assert found.shift is not None
    assert found.scale is not None
    assert np.array_equal(found.shift, scaler.mean_.astype(dtype))
    assert np.array_equal(found.scale, scaler.scale_.astype(dtype))


def test_equal_rows_in_two_parts_are_found_in_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    inputs = numbers()
    inputs[ROWS // 2 :] = inputs[: ROWS - ROWS // 2]
    inputs[:, 3] = classes()
    write_npz(path, inputs, classes())
    memory, mapped = both_ways(path)
    assert sum("leakage" in line for line in mapped.report) >= 2
    assert mapped.report == memory.report


# What is remembered


def test_second_opening_reads_nothing_of_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = settled(tmp_path)
    first = load(configured(path, storage="mapped"))
    monkeypatch.setattr(MappedArray, "__getitem__", None)
    again = load(configured(path, storage="mapped"))
    assert (again.checksum, again.report) == (first.checksum, first.report)


@pytest.mark.parametrize("keep_time", [False, True], ids=["written", "time-of-writing-put-back"])
def test_changed_byte_is_another_checksum(tmp_path: Path, keep_time: bool) -> None:
    """Of the same size, and even with its time of writing forged: the kernel's own time of change tells."""
    path = tmp_path / "big.npy"
    write_npy(path, numbers(), classes(), target=-1)
    time.sleep(remembered.SETTLED_NS / 1e9 + 0.02)
    before, status = load(configured(path, preprocessing="none", storage="mapped")), path.stat()
    with path.open("r+b") as opened:
        opened.seek(128 + 4 * (10 * (FEATURES + 1) + 3))
        byte = opened.read(1)
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte[0] ^ 1]))
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert path.stat().st_mtime_ns == status.st_mtime_ns
    after = load(configured(path, preprocessing="none", storage="mapped"))
    assert after.checksum != before.checksum
    assert after.checksum == load(configured(path, preprocessing="none", storage="memory")).checksum


@pytest.mark.parametrize(
    "changes", [{"preprocessing": "center"}, {"data_seed": 1}, {"validation_fraction": 0.25}, {"kind": "regression"}]
)
def test_what_is_remembered_is_of_one_way_to_prepare(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = settled(tmp_path)
    load(configured(path, storage="mapped"))
    assert_same(*both_ways(path, **changes))


def test_cache_that_is_damaged_or_cannot_be_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = settled(tmp_path)
    first = load(configured(path, storage="mapped"))
    kept = list(remembered.cache_folder().iterdir())
    assert kept
    for file in kept:
        file.write_text(file.read_text()[:-3])
    assert load(configured(path, storage="mapped")).checksum == first.checksum
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))  # a file, in which no folder can be made
    assert load(configured(path, storage="mapped")).checksum == first.checksum


def test_file_of_this_moment_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed again within the same tick of the clock it would look the same."""
    path = tmp_path / "big.npz"
    write_npz(path, numbers(), classes())
    monkeypatch.setattr(remembered, "SETTLED_NS", 3600 * 10**9)
    load(configured(path, storage="mapped"))
    assert not remembered.cache_folder().exists()


def settled(tmp_path: Path) -> Path:
    path = tmp_path / "big.npz"
    write_npz(path, numbers(), classes())
    time.sleep(remembered.SETTLED_NS / 1e9 + 0.02)
    return path


# Where rows are kept


def test_rows_stay_in_their_file_where_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.npz"
    write_npz(path, numbers(), classes())
    needed = ROWS * FEATURES * (4 + 4 + 4 + 4)
    for free, expected in ((needed * 8 - 1, MappedRows), (needed * 8, torch.Tensor)):
        monkeypatch.setattr(storage, "free_host_bytes", lambda free=free: free)
        assert isinstance(load(configured(path)).train_inputs, expected)


def test_what_cannot_stay_in_a_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    table = tmp_path / "big.csv"
    np.savetxt(table, numbers()[:50], delimiter=",")
    np.savez_compressed(tmp_path / "small.npz", X=numbers(), y=classes())
    with_gaps = numbers()
    with_gaps[3, 2] = np.nan
    write_npz(tmp_path / "gaps.npz", with_gaps, classes())
    np.save(tmp_path / "fortran.npy", np.asfortranarray(np.insert(numbers(), FEATURES, classes(), axis=1)))
    for name in ("big.csv", "small.npz", "gaps.npz", "fortran.npy"):
        target = None if name.endswith(".npz") else 0 if name.endswith(".csv") else -1
        kind = "regression" if name.endswith(".csv") else "classification"
        with pytest.raises(UserError, match=r"storage=mapped: .* cannot stay where they are; .* numpy\.save"):
            load(configured(tmp_path / name, target_column=target, kind=kind, storage="mapped"))
    assert load(configured(tmp_path / "fortran.npy")).num_features == FEATURES


def test_preprocessing_of_all_rows_at_once_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    write_npz(path, numbers(), classes())
    with pytest.raises(UserError, match="preprocessing=quantile needs all rows in memory; expected none, center"):
        load(configured(path, preprocessing="quantile", storage="mapped"))


def test_unknown_storage_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    write_npz(path, numbers(), classes())
    with pytest.raises(UserError, match=r"dataset\.storage=maped: did you mean 'mapped'"):
        load(configured(path, storage="maped"))


# Files that are not what they were


def test_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.npy"
    write_npy(path, numbers(), classes(), target=-1)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(UserError, match=r"big\.npy is cut off: .* takes \d+ bytes, the file has \d+"):
        load(configured(path, storage="mapped"))


@pytest.mark.parametrize("storage", ["memory", "mapped", "auto"])
def test_objects_are_never_unpickled(tmp_path: Path, storage: str) -> None:
    path = tmp_path / "big.npy"
    np.save(path, np.array([[1, "a"], [2, "b"]], dtype=object))
    with pytest.raises(UserError, match="pickle"):
        load(configured(path, storage=storage))


def test_infinite_value_is_named_by_column_and_row(tmp_path: Path) -> None:
    inputs = numbers()
    inputs[[7, 9], 2] = np.inf
    write_npz(tmp_path / "big.npz", inputs, classes())
    with pytest.raises(UserError, match="column 2 has 2 missing, infinite or too large values, the first in row 7"):
        load(configured(tmp_path / "big.npz", storage="mapped"))


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "big.npz", numbers(), classes(ROWS - 1))
    with pytest.raises(UserError, match=r"X of shape \(700, 6\) and y of shape \(699,\)"):
        load(configured(tmp_path / "big.npz", storage="mapped"))


def test_file_that_changes_in_use_is_noticed_at_the_next_batch(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    write_npz(path, numbers(), classes())
    task = load(configured(path, storage="mapped"))
    task.train_inputs[:3]
    os.truncate(path, 100)
    with pytest.raises(UserError, match=r"big\.npz was changed while it was in use .* 100 now"):
        task.train_inputs.take(torch.arange(3))


def test_file_put_in_its_place_does_not_disturb(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    write_npz(path, numbers(), classes())
    task = load(configured(path, storage="mapped"))
    before = task.train_inputs[:]
    write_npz(tmp_path / "other.npz", numbers() + 1, classes())
    (tmp_path / "other.npz").replace(path)
    assert torch.equal(task.train_inputs[:], before)
