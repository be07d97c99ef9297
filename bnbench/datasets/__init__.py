"""Data sets: a source delivers rows, which are split by a data seed, preprocessed and handed on as tensors in
memory."""

from bnbench.datasets.arrays import from_arrays as from_arrays
from bnbench.datasets.mapped import MappedRows as MappedRows
from bnbench.datasets.prepare import load as load
from bnbench.datasets.schema import DatasetConfig as DatasetConfig
from bnbench.datasets.schema import Targets as Targets
from bnbench.datasets.targets import target_ladder as target_ladder
from bnbench.datasets.task import DEFAULT_LOSSES as DEFAULT_LOSSES
from bnbench.datasets.task import Task as Task
