"""From a source's rows to a task: split, preprocess, measure the trivial predictor, take the checksum."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from bnbench.datasets import sources as sources  # importing the package registers every source
from bnbench.datasets.encoding import Encoding, fit_encoding
from bnbench.datasets.leakage import find_leakage
from bnbench.datasets.mapped import MappedArray
from bnbench.datasets.metrics import check_defined, checked_metric, trivial_value
from bnbench.datasets.parts import PARTS, Split
from bnbench.datasets.prepare_mapped import constant_columns, in_order, prepare_mapped
from bnbench.datasets.preprocessing import PREPROCESSINGS, Features
from bnbench.datasets.report import describe_data
from bnbench.datasets.schema import DatasetConfig, Targets
from bnbench.datasets.split import split_rows
from bnbench.datasets.storage import store
from bnbench.datasets.table import SOURCES, Table
from bnbench.datasets.task import DEFAULT_LOSSES, LOSSES, Task, checksum_of
from bnbench.errors import UserError, nearest


def load(config: DatasetConfig) -> Task:
    """Return the task that a file of `conf/dataset/` describes.

    Raises UserError for whatever is wrong with the configuration, the files it names or the rows in them.
    """
    return prepare(SOURCES.get(config.source)(config), config=config)


def prepare(table: Table, *, config: DatasetConfig) -> Task:
    """Split, encode and preprocess a source's rows."""
    PREPROCESSINGS.get(config.preprocessing)  # raises UserError where there is none of the name
    metric, direction = checked_metric(config.metric, config.direction, kind=table.kind, name=table.name)
    _check_ladder_is_of(metric, config)
    loss = _checked_loss(table, config)
    table = store(table, config)
    split = split_rows(table, config=config)
    labels, label_scale = _prepare_labels(table, split)
    by_part = {part: labels[getattr(split, part)] for part in PARTS}
    inputs = _prepare_inputs(table, split, by_part, label_scale=label_scale, config=config)
    check_defined(metric, by_part, class_names=table.class_names, name=table.name)
    trivial = trivial_value(
        metric, train_labels=by_part["train"], labels=by_part["validation"], label_scale=label_scale
    )
    return Task(
        name=config.name,
        kind=table.kind,
        **inputs.tensors,
        num_features=inputs.tensors["train_inputs"].shape[1],
        num_outputs=table.num_classes if table.kind == "classification" and loss != "binary" else 1,
        loss=loss,
        metric_name=metric,
        direction=direction,
        trivial=trivial,
        label_scale=label_scale,
        targets=_checked_targets(config.targets, metric=metric, direction=direction, trivial=trivial),
        checksum=inputs.checksum,
        report=inputs.report,
        feature_names=inputs.feature_names,
    )


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs and labels of every part, and what is known of the inputs."""

    tensors: dict[str, Any]
    checksum: str
    report: tuple[str, ...]
    feature_names: tuple[str, ...]


def _prepare_inputs(
    table: Table, split: Split, labels: dict[str, NDArray[np.generic]], *, label_scale: float, config: DatasetConfig
) -> Inputs:
    features = Features(config.name, data_seed=config.data_seed, maximum=table.maximum)
    if isinstance(table.inputs, MappedArray):
        mapped = prepare_mapped(
            table, split, labels, label_scale=label_scale, preprocessing=config.preprocessing, features=features
        )
        report = describe_data(table, split, None, mapped.is_constant, mapped.leakage, config=config)
        return Inputs(mapped.tensors, mapped.checksum, report, table.feature_names)
    parts, encoding = _encode(table, split)
    is_amount = None if encoding is None else encoding.is_amount
    transform = PREPROCESSINGS.get(config.preprocessing)(parts["train"], replace(features, is_amount=is_amount))
    tensors = in_order({part: _float32(transform(parts[part])) for part in PARTS}, labels)
    is_constant = constant_columns(parts["train"])
    report = describe_data(table, split, encoding, is_constant, find_leakage(table, split), config=config)
    checksum = checksum_of(tensors, label_scale=label_scale)
    return Inputs(tensors, checksum, report, _feature_names(table, encoding, config=config))


def _encode(table: Table, split: Split) -> tuple[dict[str, NDArray[np.floating]], Encoding | None]:
    """Return the rows of every part as numbers; a table that is no array is encoded by what its training part tells."""
    if isinstance(table.inputs, pd.DataFrame):
        encoding, train = fit_encoding(table.inputs.iloc[split.train], name=table.name)
        others = {part: encoding.encode(table.inputs.iloc[getattr(split, part)]) for part in PARTS[1:]}
        return {"train": train, **others}, encoding
    return {part: table.floating_inputs(getattr(split, part)) for part in PARTS}, None


def _feature_names(table: Table, encoding: Encoding | None, *, config: DatasetConfig) -> tuple[str, ...]:
    """Return the names of the inputs; components of whitened ones have none."""
    if config.preprocessing == "whiten":
        return ()
    return table.feature_names if encoding is None else encoding.feature_names


def _float32(inputs: NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32))


def _prepare_labels(table: Table, split: Split) -> tuple[NDArray[np.generic], float]:
    """Return class indices and 1, or values standardised on the training part and their standard deviation there."""
    if table.kind == "classification":
        return table.labels.astype(np.int64, copy=False), 1.0
    train = table.labels[split.train].astype(np.float64)
    label_scale = float(train.std())
    # what rounding leaves of the deviation of equal numbers is no scale
    if label_scale == 0.0 or (train == train[0]).all():
        raise UserError(
            f"data set '{table.name}': all {len(train)} training labels are {train[0]}: nothing can be learned"
        )
    return ((table.labels - train.mean()) / label_scale).astype(np.float32), label_scale


def _checked_loss(table: Table, config: DatasetConfig) -> str:
    loss = DEFAULT_LOSSES[table.kind] if config.loss is None else config.loss
    if loss not in LOSSES:
        raise UserError(f"dataset.loss={loss}: unknown loss; {nearest(loss, LOSSES)}")
    if LOSSES[loss] != table.kind:
        fitting = ", ".join(name for name, kind in LOSSES.items() if kind == table.kind)
        raise UserError(
            f"dataset.loss={loss} is for {LOSSES[loss]}, '{table.name}' is {table.kind}; expected {fitting}"
        )
    if loss == "binary" and table.num_classes != 2:
        raise UserError(
            f"dataset.loss=binary: '{table.name}' has {table.num_classes} classes, expected 2; cross_entropy takes any "
            "number"
        )
    return loss


def _check_ladder_is_of(metric: str, config: DatasetConfig) -> None:
    targets = config.targets
    if targets is not None and targets.dataset not in (config.name, None):  # a workload's, under another data set
        raise UserError(
            f"dataset={config.name}: the target ladder is for {targets.dataset}; set dataset.targets=null, or to a "
            "ladder of its own"
        )
    if targets is not None and targets.metric not in (metric, None):
        raise UserError(
            f"dataset.metric={metric}: the target ladder of this data set is for {targets.metric}; set "
            "dataset.targets=null, or to a ladder of its own"
        )


def _checked_targets(
    targets: Targets | None, *, metric: str, direction: str, trivial: float
) -> dict[str, float | str] | None:
    """A ladder climbs from the trivial predictor; one that does not would let a constant prediction count as
    converged."""
    if targets is None:
        return None
    sign = 1 if direction == "max" else -1
    steps = [sign * value for value in (trivial, targets.easy, targets.medium, targets.hard)]
    if not steps[0] < steps[1] <= steps[2] <= steps[3]:
        raise UserError(
            f"dataset.targets: easy={targets.easy}, medium={targets.medium}, hard={targets.hard}: expected values "
            f"that climb ({direction}) from the {metric} {trivial:.4g} of the trivial predictor"
        )
    ladder = asdict(targets)
    del ladder["metric"], ladder["dataset"]  # stand beside the ladder in every record
    return ladder
