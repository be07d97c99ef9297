"""MNIST, its part mnist_5k and CIFAR-10: neither is ever taken for another."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bnbench.datasets import DatasetConfig
from bnbench.datasets.data_folder import write_kept
from bnbench.datasets.sources import cifar10 as cifar10_module
from bnbench.datasets.sources import mnist as mnist_module
from bnbench.datasets.sources.cifar10 import cifar10
from bnbench.datasets.sources.mnist import KNOWN, Digits, mnist
from bnbench.errors import UserError


def configure(name: str, **changes: Any) -> DatasetConfig:
    return DatasetConfig(name=name, source=name, preprocessing="scale", **changes)


def digits_of(counts: tuple[int, ...], *, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(10, dtype=np.uint8), counts))


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


@pytest.fixture(scope="module")
def mnist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of noise with as many of each digit as MNIST has; the first pixel is the digit."""
    folder = tmp_path_factory.mktemp("mnist")
    for part, counts in (("train", KNOWN["mnist"].train), ("t10k", KNOWN["mnist"].test)):
        labels = digits_of(counts)
        images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
        images[:, 0, 0] = labels
        write_idx(folder / f"{part}-images-idx3-ubyte", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)
    return folder


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BNBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def part_of_mnist(counts: tuple[int, ...]) -> pd.DataFrame:
    labels = digits_of(counts)
    pixels = np.tile(labels[:, None], (1, 784))
    return pd.DataFrame(np.column_stack([pixels, labels]), columns=[f"column {number}" for number in range(785)])


def test_mnist_is_read_from_its_four_files_with_the_official_test_part_last(mnist_folder: Path) -> None:
    table = mnist(configure("mnist", path=str(mnist_folder)))
    assert (table.inputs.shape, table.num_official_test, table.maximum) == ((70_000, 784), 10_000, 255.0)
    assert (np.asarray(table.inputs)[:, 0] == table.labels).all()
    assert tuple(np.bincount(table.labels[60_000:])) == KNOWN["mnist"].test


def test_other_digits_are_not_taken_for_mnist(mnist_folder: Path, tmp_path: Path) -> None:
    for file in mnist_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_idx(tmp_path / "train-labels-idx1-ubyte", digits_of((6_000,) * 10))  # Fashion-MNIST's are balanced
    with pytest.raises(UserError, match="the training part has 6000 rows of digit 0, expected 5923: another data set"):
        mnist(configure("mnist", path=str(tmp_path)))


def test_files_of_5000_rows_are_not_taken_for_mnist(mnist_folder: Path, tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((4_000, 28, 28), dtype=np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte", digits_of((400,) * 10))
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((1_000, 28, 28), dtype=np.uint8))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", digits_of((100,) * 10))
    with pytest.raises(UserError, match=r"has 70,000 rows, found 5,000, as many as 'mnist_5k', another data set"):
        mnist(configure("mnist", path=str(tmp_path)))
    part_of_mnist((500,) * 10).to_csv(tmp_path / "part.csv", index=False)
    with pytest.raises(UserError, match=r"part.csv is a file, expected the folder with the four IDX files"):
        mnist(configure("mnist", path=str(tmp_path / "part.csv")))


@pytest.mark.parametrize("form", ["kept", "csv", "parquet"])
def test_mnist_5k_is_read_from_the_data_folder_or_a_file(form: str, data_folder: Path, tmp_path: Path) -> None:
    frame = part_of_mnist((500,) * 10)
    config = configure("mnist_5k")
    if form == "kept":
        write_kept("mnist_5k", frame)
    else:
        getattr(frame, f"to_{form}")(tmp_path / f"part.{form}", index=False)
        config = configure("mnist_5k", path=str(tmp_path / f"part.{form}"))
    table = mnist(config)
    assert (table.inputs.shape, table.num_official_test) == ((5_000, 784), 0)
    assert (np.asarray(table.inputs)[:, 0] == table.labels).all()


def test_mnist_5k_that_is_not_here_says_the_one_line(data_folder: Path) -> None:
    with pytest.raises(UserError, match=rf"run `python -m bnbench.fetch mnist_5k`.* \(looked for {data_folder}/mnist"):
        mnist(configure("mnist_5k"))


def test_other_rows_are_not_taken_for_mnist_5k(tmp_path: Path) -> None:
    frame = part_of_mnist((501, 499, *(500,) * 8))
    frame.to_parquet(tmp_path / "part.parquet")
    with pytest.raises(UserError, match="has 501 rows of digit 0, expected 500"):
        mnist(configure("mnist_5k", path=str(tmp_path / "part.parquet")))
    frame.iloc[:-1].to_parquet(tmp_path / "part.parquet")
    with pytest.raises(UserError, match=r"mnist_5k has 5,000 rows, found 4,999$"):
        mnist(configure("mnist_5k", path=str(tmp_path / "part.parquet")))


@pytest.mark.parametrize(
    ("value", "message"),
    [(256, "no whole number from 0 to 255"), (0.5, "no whole number from 0 to 255"), ("x", "expected 784 pixels")],
)
def test_values_that_are_no_pixels_are_refused(value: Any, message: str, tmp_path: Path) -> None:
    frame = part_of_mnist((500,) * 10).astype(object)
    frame.iloc[:, 3] = value
    frame.to_parquet(tmp_path / "part.parquet")
    with pytest.raises(UserError, match=message):
        mnist(configure("mnist_5k", path=str(tmp_path / "part.parquet")))


def test_table_of_another_width_is_no_mnist_5k(tmp_path: Path) -> None:
    part_of_mnist((500,) * 10).iloc[:, 1:].to_parquet(tmp_path / "part.parquet")
    with pytest.raises(UserError, match="784 columns, expected 784 pixels and the digit"):
        mnist(configure("mnist_5k", path=str(tmp_path / "part.parquet")))


@pytest.fixture
def small_cifar10(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder like CIFAR-10's binary version, but of 20 images a file; the first pixel is the label."""
    monkeypatch.setattr(cifar10_module, "ROWS_PER_FILE", 20)
    monkeypatch.setattr(cifar10_module, "NUM_TEST", 20)
    monkeypatch.setattr(cifar10_module, "PER_CLASS", {"training": 10, "test": 2})
    for name in cifar10_module.FILES:
        labels = np.arange(20, dtype=np.uint8) % 10
        pixels = np.zeros((20, 3072), dtype=np.uint8)
        pixels[:, 0] = labels
        np.column_stack([labels, pixels]).tofile(tmp_path / name)
    return tmp_path


def test_cifar10_is_read_from_its_binary_version_with_the_official_test_part_last(small_cifar10: Path) -> None:
    table = cifar10(configure("cifar10", path=str(small_cifar10)))
    assert (table.inputs.shape, table.num_official_test, table.maximum) == ((120, 3072), 20, 255.0)
    assert (np.asarray(table.inputs)[:, 0] == table.labels).all()


def test_cifar10_with_other_labels_is_refused(small_cifar10: Path) -> None:
    rows = np.fromfile(small_cifar10 / "test_batch.bin", dtype=np.uint8).reshape(20, -1)
    rows[0, 0] = 1
    rows.tofile(small_cifar10 / "test_batch.bin")
    with pytest.raises(UserError, match=r"the test part has \[1, 3, 2.*expected 2 of each of 10"):
        cifar10(configure("cifar10", path=str(small_cifar10)))


def test_cifar10_that_is_cut_off_or_pickles_is_refused(small_cifar10: Path) -> None:
    file = small_cifar10 / "data_batch_3.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data_batch_3.bin has 61459 bytes, expected 61460: cut off"):
        cifar10(configure("cifar10", path=str(small_cifar10)))
    file.rename(small_cifar10 / "data_batch_3")
    with pytest.raises(UserError, match=r"has no data_batch_3.bin; .* pickles, which run code"):
        cifar10(configure("cifar10", path=str(small_cifar10)))
    with pytest.raises(UserError, match="is not a folder"):
        cifar10(configure("cifar10", path=str(small_cifar10 / "nowhere")))


def as_openml_has_them(rows: NDArray[np.uint8]) -> pd.DataFrame:
    """Return a frame whose last column, the class, is a category of text, as fetch_openml makes it."""
    frame = pd.DataFrame(rows[:, :-1].astype(np.int64)).rename(columns=str)
    return frame.assign(**{"class": pd.Categorical(rows[:, -1].astype(str))})


def test_mnist_is_read_as_openml_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Digits(train=(3,) * 10, test=(1,) * 10)
    labels = np.concatenate([digits_of(small.train), digits_of(small.test)])
    frame = as_openml_has_them(np.column_stack([np.tile(labels[:, None], (1, 784)), labels]))
    monkeypatch.setitem(KNOWN, "mnist", small)
    monkeypatch.setattr(mnist_module, "fetch_frame", lambda config: (frame, "class"))
    table = mnist(configure("mnist", openml_id=554))
    assert (table.inputs.shape, table.num_official_test) == ((40, 784), 10)
    assert table.labels.tolist() == np.asarray(table.inputs)[:, 0].tolist() == labels.tolist()


def test_cifar10_is_read_as_openml_has_it(small_cifar10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_files = cifar10(configure("cifar10", path=str(small_cifar10)))
    rows = np.column_stack([np.asarray(by_files.inputs), by_files.labels.astype(np.uint8)])
    frame = as_openml_has_them(rows)
    monkeypatch.setattr(cifar10_module, "fetch_frame", lambda config: (frame, "class"))
    with pytest.raises(UserError, match=r"shape \(120, 3073\), CIFAR-10's has \(60000, 3073\)"):
        cifar10(configure("cifar10", openml_id=40927))
    monkeypatch.setattr(cifar10_module, "NUM_ROWS", 120)
    table = cifar10(configure("cifar10", openml_id=40927))
    assert np.array_equal(np.asarray(table.inputs), np.asarray(by_files.inputs))
    assert table.labels.tolist() == by_files.labels.tolist()


@pytest.mark.parametrize("share", [0.5, 300.0])
def test_pixels_of_openml_that_are_no_bytes_are_refused(
    share: float, small_cifar10: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_files = cifar10(configure("cifar10", path=str(small_cifar10)))
    frame = as_openml_has_them(np.column_stack([np.asarray(by_files.inputs), by_files.labels.astype(np.uint8)]))
    frame["7"] = share
    monkeypatch.setattr(cifar10_module, "fetch_frame", lambda config: (frame, "class"))
    monkeypatch.setattr(cifar10_module, "NUM_ROWS", 120)
    with pytest.raises(UserError, match="no whole number from 0 to 255"):
        cifar10(configure("cifar10", openml_id=40927))
