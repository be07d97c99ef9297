"""CIFAR-10: 50,000 + 10,000 colour images of 32 x 32 pixels, ten classes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.sources.open_ml import fetch_frame
from bnbench.datasets.table import SOURCES, Table
from bnbench.errors import UserError

# the "binary version": a byte for the label and 3,072 for the pixels; the "python version" is pickles, which run code
FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
ROWS_PER_FILE, NUM_PIXELS, NUM_ROWS, NUM_TEST = 10_000, 3 * 32 * 32, 60_000, 10_000
PER_CLASS = {"training": 5_000, "test": 1_000}
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@SOURCES.register("cifar10")
def cifar10(config: DatasetConfig) -> Table:
    """Return the 60,000 images, the official test part last.

    They are read from the folder `config.path` with the files of the binary version, or from OpenML. Raises UserError
    when there is neither, and for files that are damaged or another data set.
    """
    rows = _read_openml(config) if config.path is None else _read_folder(Path(config.path).expanduser())
    labels = rows[:, 0].astype(np.int64)
    for part, of_part in (("training", labels[:-NUM_TEST]), ("test", labels[-NUM_TEST:])):
        counts = np.bincount(of_part, minlength=10)
        if counts.tolist() != [PER_CLASS[part]] * 10:
            raise UserError(
                f"dataset=cifar10: the {part} part has {counts.tolist()} images of the classes, expected "
                f"{PER_CLASS[part]} of each of 10: another data set, or one in another order"
            )
    return Table(
        name=config.name,
        kind="classification",
        inputs=rows[:, 1:],
        labels=labels,
        class_names=CLASS_NAMES,
        num_official_test=NUM_TEST,
        maximum=255.0,
    )


def _read_folder(folder: Path) -> NDArray[np.uint8]:
    """Return (60,000, 1 + 3,072): label and pixels of every image."""
    if not folder.is_dir():
        raise UserError(f"dataset.path={folder} is not a folder; expected one with {', '.join(FILES)}")
    parts = []
    for name in FILES:
        file = folder / name
        if not file.is_file():
            raise UserError(
                f"{folder} has no {name}; expected the files of CIFAR-10's binary version (the Python version is "
                "pickles, which run code when they are read)"
            )
        values = np.fromfile(file, dtype=np.uint8)
        expected = ROWS_PER_FILE * (1 + NUM_PIXELS)
        if len(values) != expected:
            raise UserError(f"{file} has {len(values)} bytes, expected {expected}: cut off or another file")
        parts.append(values.reshape(ROWS_PER_FILE, 1 + NUM_PIXELS))
    return np.concatenate(parts)


def _read_openml(config: DatasetConfig) -> NDArray[np.uint8]:
    frame, _ = fetch_frame(config)
    expected = (NUM_ROWS, NUM_PIXELS + 1)
    if frame.shape != expected:
        raise UserError(f"OpenML's data set {config.openml_id} has shape {frame.shape}, CIFAR-10's has {expected}")
    try:
        values = frame.to_numpy(dtype=np.float32)  # exact for what is expected
    except ValueError as error:
        raise UserError(f"OpenML's data set {config.openml_id}: {error}; expected pixels and a class") from error
    rows = values.astype(np.uint8)
    if not (rows == values).all():
        raise UserError(
            f"OpenML's data set {config.openml_id}: a value is no whole number from 0 to 255; expected "
            f"{NUM_PIXELS:,} pixels and the class"
        )
    return np.column_stack([rows[:, -1], rows[:, :-1]])
