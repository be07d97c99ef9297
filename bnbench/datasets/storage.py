"""Where the rows of a table lie: in memory, or in their file."""

from dataclasses import replace

from bnbench.datasets.affine_fit import AFFINE_PREPROCESSINGS
from bnbench.datasets.mapped import MappedArray, floating_dtype
from bnbench.datasets.schema import DatasetConfig
from bnbench.datasets.table import Table
from bnbench.errors import UserError, nearest
from bnbench.free_memory import free_host_bytes

STORAGES = ("auto", "memory", "mapped")
# Of the free memory, what rows may take. Reading from a file costs no more than from memory while the system keeps its
# pages, which all processes of a sweep share; each would have its own copy in memory. So the share is small.
SHARE_OF_MEMORY = 1 / 8
CONVERT = "python -c \"import numpy, pandas; numpy.save('data.npy', pandas.read_csv('data.csv').to_numpy('float32'))\""


def store(table: Table, config: DatasetConfig) -> Table:
    """Return the table with its rows where `config.storage` wants them.

    mapped leaves them in their file; memory reads them; auto reads them where they fit into an eighth of the free
    memory with all copies that preparing them takes. Nothing else depends on it. Raises UserError where rows cannot
    stay in their file: they are none of an array in C order, or are not preprocessed by a shift and a scale.
    """
    if config.storage not in STORAGES:
        raise UserError(f"dataset.storage={config.storage}: {nearest(config.storage, STORAGES)}")
    affine = config.preprocessing in AFFINE_PREPROCESSINGS
    if config.storage == "mapped":
        if not isinstance(table.inputs, MappedArray):
            raise UserError(
                f"dataset.storage=mapped: the rows of '{table.name}' cannot stay where they are; that takes an "
                "array of numbers without gaps, in C order, in a .npy, an .npz that is not compressed or an IDX file "
                "that is not gzipped, none of its columns left out, read as categories or split by. Convert a table "
                f"of numbers by: {CONVERT}"
            )
        if not affine:
            raise UserError(
                f"dataset.storage=mapped: preprocessing={config.preprocessing} needs all rows in memory; expected "
                f"{', '.join(AFFINE_PREPROCESSINGS)}, or dataset.storage=memory"
            )
    if not isinstance(table.inputs, MappedArray):
        return table
    if stays_in_file(table.inputs, config):
        return table
    needed, free = bytes_in_memory(table.inputs), free_host_bytes()
    if needed > free:
        raise UserError(
            f"'{table.name}' takes {needed / 2**30:.1f} GiB of memory to prepare and {free / 2**30:.1f} GiB are free; "
            f"expected dataset.storage=auto and a preprocessing of {', '.join(AFFINE_PREPROCESSINGS)}, which leave "
            "the rows in their file"
        )
    return replace(table, inputs=table.inputs[:])


def stays_in_file(array: MappedArray, config: DatasetConfig) -> bool:
    """Return whether these rows are cut from their file."""
    if config.storage == "auto" and config.preprocessing in AFFINE_PREPROCESSINGS:
        return bytes_in_memory(array) > SHARE_OF_MEMORY * free_host_bytes()
    return config.storage == "mapped"


def bytes_in_memory(inputs: MappedArray) -> int:
    """Return what preparing these rows in memory takes at most: as read, as they are split and transformed, in
    float32."""
    rows, features = inputs.shape
    return rows * features * (inputs.dtype.itemsize + 2 * floating_dtype(inputs.dtype).itemsize + 4)
