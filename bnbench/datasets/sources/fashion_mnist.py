"""Fashion-MNIST (arXiv:1708.07747): 60,000 + 10,000 grey images of 28 x 28 pixels, ten classes of clothing."""

import hashlib
import warnings
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_openml

from bnbench.datasets.idx import read_idx_folder
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import SOURCES, Table
from bnbench.errors import UserError

# where Debian's package dataset-fashion-mnist puts its files
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
OPENML_ID = 40996
NUM_TRAIN = 60_000
NUM_TEST = 10_000
NUM_PIXELS = 28 * 28
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class Part:
    """One of the four files: its shape, and the SHA-256 of its values without the header.

    So a folder holds the data set whether its files are gzipped, and how, or not; and OpenML's table is known to be
    the same rows in the same order.
    """

    shape: tuple[int, ...]
    sha256: str


PARTS = {
    "train-images-idx3-ubyte": Part(
        (NUM_TRAIN, 28, 28), "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012"
    ),
    "train-labels-idx1-ubyte": Part((NUM_TRAIN,), "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"),
    "t10k-images-idx3-ubyte": Part(
        (NUM_TEST, 28, 28), "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"
    ),
    "t10k-labels-idx1-ubyte": Part((NUM_TEST,), "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"),
}

Arrays = dict[str, NDArray[Any]]


@SOURCES.register("fashion_mnist")
def fashion_mnist(config: DatasetConfig) -> Table:
    """Return the 70,000 images, the official test part last.

    They are read from the folder `config.path`; without one from Debian's package where it is installed, else from
    OpenML. Raises UserError when there is none of these, and for files that are damaged or not Fashion-MNIST.
    """
    if config.path is not None:
        place, arrays = config.path, _read_folder(config.path)
    elif DEBIAN_FOLDER.is_dir():
        place, arrays = str(DEBIAN_FOLDER), _read_folder(DEBIAN_FOLDER)
    else:
        place, arrays = f"OpenML's data set {OPENML_ID}", _fetch()
    for name, array in arrays.items():
        _check(name, array, place=place)
    images = [arrays[name].reshape(-1, NUM_PIXELS) for name in PARTS if "images" in name]
    labels = [arrays[name] for name in PARTS if "labels" in name]
    return Table(
        name=config.name,
        kind="classification",
        inputs=np.concatenate(images),
        labels=np.concatenate(labels),
        class_names=CLASS_NAMES,
        num_official_test=NUM_TEST,
        maximum=255.0,
    )


def _read_folder(folder: str | Path) -> Arrays:
    return read_idx_folder(Path(folder).expanduser(), PARTS, data_name="Fashion-MNIST")


def _fetch() -> Arrays:
    try:
        with warnings.catch_warnings():
            # scikit-learn warns before it tries again; if that fails too, the error below says it all
            warnings.filterwarnings("ignore", message="A network error occurred|Invalid cache")
            # one retry: without a network the answer is as certain then as after the third
            bunch = fetch_openml(data_id=OPENML_ID, as_frame=False, parser="auto", n_retries=1, delay=0.1)
    except (OSError, HTTPException) as error:
        raise UserError(
            f"Fashion-MNIST is not here and OpenML cannot be reached ({error}): run `apt-get install "
            "dataset-fashion-mnist`, or set dataset.path to a folder with its four IDX files, or connect to the network"
        ) from error
    images, labels = bunch.data.astype(np.uint8).reshape(-1, 28, 28), bunch.target.astype(np.uint8)
    parts = (images[:NUM_TRAIN], labels[:NUM_TRAIN], images[NUM_TRAIN:], labels[NUM_TRAIN:])
    return dict(zip(PARTS, parts, strict=True))


def _check(name: str, array: NDArray[Any], *, place: str) -> None:
    part = PARTS[name]
    if array.shape != part.shape:
        raise UserError(f"{place}: {name} has shape {array.shape}, Fashion-MNIST's has {part.shape}")
    found = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
    if found != part.sha256:
        raise UserError(
            f"{place}: {name} has the values of another data set (SHA-256 {found[:16]}…, Fashion-MNIST's is "
            f"{part.sha256[:16]}…)"
        )
