"""Fashion-MNIST, from the files of Debian's package themselves."""

import gzip
import os
import shutil
from http.client import IncompleteRead
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest

from bnbench.datasets import DatasetConfig, Task, load
from bnbench.datasets.sources import fashion_mnist as source
from bnbench.errors import UserError

NAMES = tuple(source.PARTS)


def configured(path: Path | None = None, *, data_seed: int = 0) -> DatasetConfig:
    return DatasetConfig(
        name="fashion_mnist",
        source="fashion_mnist",
        preprocessing="scale",
        metric="accuracy",
        direction="max",
        data_seed=data_seed,
        validation_fraction=1 / 12,
        test_fraction=None,
        path=None if path is None else str(path),
    )


@pytest.fixture(scope="module")
def files() -> Path:
    if not source.DEBIAN_FOLDER.is_dir():
        reason = "Debian's package dataset-fashion-mnist is not installed"
        # CI installs it, so there its absence is a fault
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return source.DEBIAN_FOLDER


@pytest.fixture(scope="module")
def task(files: Path) -> Task:
    return load(configured())


@pytest.fixture
def copy(files: Path, tmp_path: Path) -> Path:
    """A folder with links to the four files, any of which a test may replace."""
    for name in NAMES:
        (tmp_path / f"{name}.gz").symlink_to(files / f"{name}.gz")
    return tmp_path


def replaced(folder: Path, name: str, content: bytes) -> Path:
    path = folder / f"{name}.gz"
    path.unlink()
    path.write_bytes(content)
    return path


def test_official_images_are_split_as_promised(task: Task) -> None:
    assert task.train_inputs.shape == (55_000, 784)
    assert task.train_labels.bincount().tolist() == [5500] * 10
    assert task.validation_labels.bincount().tolist() == [500] * 10
    assert task.test_labels.bincount().tolist() == [1000] * 10
    assert task.trivial == pytest.approx(0.1)


def test_pixels_are_those_published(task: Task) -> None:
    """Mean .2860 and standard deviation .3530 are what the 60,000 training images are known by."""
    pixels = np.concatenate([task.train_inputs.numpy(), task.validation_inputs.numpy()])
    assert pixels.mean(dtype=np.float64) == pytest.approx(0.2860, abs=1e-4)
    assert pixels.std(dtype=np.float64) == pytest.approx(0.3530, abs=1e-4)
    assert (pixels.min(), pixels.max()) == (0.0, 1.0)


def test_test_part_is_the_official_one_in_its_order(task: Task, files: Path) -> None:
    with gzip.open(files / "t10k-images-idx3-ubyte.gz") as stream:
        first = np.frombuffer(stream.read(16 + 784), dtype=np.uint8, offset=16)
    assert (task.test_inputs[0].numpy() == first / np.float32(255)).all()


def test_data_seed_moves_images_between_training_and_validation_only(task: Task, files: Path) -> None:
    other = load(configured(data_seed=1))
    assert other.checksum != task.checksum
    assert (other.test_inputs == task.test_inputs).all()
    assert not (other.validation_inputs == task.validation_inputs).all()


def test_unpacked_files_in_a_folder_are_the_same_data_set(task: Task, files: Path, tmp_path: Path) -> None:
    for name in NAMES:
        with gzip.open(files / f"{name}.gz") as packed, (tmp_path / name).open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
    assert load(configured(tmp_path)).checksum == task.checksum


def test_truncated_file_is_named(copy: Path, files: Path) -> None:
    whole = (files / f"{NAMES[0]}.gz").read_bytes()
    path = replaced(copy, NAMES[0], whole[: len(whole) // 2])
    with pytest.raises(UserError, match=rf"{path} is cut off or damaged"):
        load(configured(copy))


def test_web_page_in_place_of_a_file_is_named(copy: Path) -> None:
    path = replaced(copy, NAMES[3], b"<html><body>Not Found</body></html>")
    with pytest.raises(UserError, match=rf"{path} is a web page or text"):
        load(configured(copy))


def test_other_images_under_the_same_names_are_refused(copy: Path, files: Path) -> None:
    content = bytearray(gzip.decompress((files / f"{NAMES[2]}.gz").read_bytes()))
    content[-1] ^= 1
    replaced(copy, NAMES[2], gzip.compress(bytes(content), compresslevel=1))
    with pytest.raises(UserError, match=rf"{NAMES[2]} has the values of another data set"):
        load(configured(copy))


def test_labels_in_place_of_images_are_refused(copy: Path, files: Path) -> None:
    replaced(copy, NAMES[0], (files / f"{NAMES[1]}.gz").read_bytes())
    with pytest.raises(UserError, match=r"has shape \(60000,\), Fashion-MNIST's has \(60000, 28, 28\)"):
        load(configured(copy))


def test_folder_without_one_of_the_files_says_which(copy: Path) -> None:
    (copy / f"{NAMES[2]}.gz").unlink()
    with pytest.raises(UserError, match=rf"has neither {NAMES[2]}.gz nor {NAMES[2]}"):
        load(configured(copy))


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.path=.*absent is not a folder"):
        load(configured(tmp_path / "absent"))


@pytest.mark.parametrize(
    "failure", [URLError("Name or service not known"), TimeoutError("timed out"), IncompleteRead(b"")]
)
def test_no_folder_and_no_network_says_the_three_ways_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: Exception
) -> None:
    def unreachable(*arguments: object, **options: object) -> None:
        raise failure

    monkeypatch.setattr(source, "DEBIAN_FOLDER", tmp_path / "absent")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", unreachable)
    with pytest.raises(UserError, match=r"apt-get install dataset-fashion-mnist.*dataset\.path.*network") as caught:
        load(configured())
    assert "\n" not in str(caught.value)


def test_table_of_openml_is_the_same_data_set(monkeypatch: pytest.MonkeyPatch, task: Task, files: Path) -> None:
    """The service answers with floats and text, the 60,000 before the 10,000."""
    arrays = source._read_folder(files)
    images = np.concatenate([arrays[name].reshape(-1, 784) for name in (NAMES[0], NAMES[2])])
    labels = np.concatenate([arrays[name] for name in (NAMES[1], NAMES[3])])
    answer = SimpleNamespace(data=images.astype(np.float64), target=labels.astype(str).astype(object))
    monkeypatch.setattr(source, "DEBIAN_FOLDER", files / "absent")
    monkeypatch.setattr(source, "fetch_openml", lambda **options: answer)
    assert load(configured()).checksum == task.checksum
