"""A record back as what it was trained from: configuration, norm, shape of the data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from omegaconf.errors import OmegaConfBaseException

from bnbench.config import Config, typed_config
from bnbench.datasets import Task, load
from bnbench.datasets.task import LOSSES
from bnbench.errors import UserError
from bnbench.models import model_version
from bnbench.norms import ChosenNorm, choose_norm
from bnbench.records import Record, canonical_json
from bnbench.training.cells import entry_identity

MOST_LETTERS = 100


@dataclass(frozen=True)
class Shape:
    """What a network and its loss have to know of a data set."""

    num_inputs: int
    num_outputs: int
    loss: str


def config_of(record: Record) -> Config:
    """Return the configuration of a record, typed as it was when it trained.

    Raises UserError for one that is not ours, or of a bnbench with other keys.
    """
    try:
        return typed_config(record.config)
    except OmegaConfBaseException as error:
        said = (error.msg or str(error)).splitlines()[0][:MOST_LETTERS]
        raise UserError(f"the configuration of {record.path} is not one of this bnbench: {said}") from error


def norm_of(record: Record, config: Config) -> ChosenNorm:
    """Return the norm of a record.

    Raises UserError where it cannot be imported, or where it or the model has changed since.
    """
    norm = choose_norm(config.norm)
    if canonical_json(entry_identity(norm, trainer=config.trainer)) != canonical_json(record.identity["entry"]):
        raise UserError(f"norm '{norm.entry}' has changed since {record.path} was recorded")
    version = model_version(asdict(config.model))
    if version != _at(record.identity["workload"], "model").get("version"):
        raise UserError(f"model.class_path={config.model.class_path} has changed since {record.path} was recorded")
    return norm


def describe_shape(task: Task) -> dict[str, Any]:
    """Return what a record's environment says of the data, so that what a network costs needs no data."""
    return {"num_inputs": task.num_features, "num_outputs": task.num_outputs, "loss": task.loss}


def shape_of(record: Record, config: Config) -> Shape:
    """Return the shape of a record's data; of a record that does not tell, by preparing its data again.

    Raises UserError where that is not possible, or the data are not those of the record.
    """
    told = record.environment.get("data_shape")
    if isinstance(told, dict) and told.get("loss") in tuple(LOSSES):
        numbers = [told.get("num_inputs"), told.get("num_outputs")]
        if all(isinstance(number, int) and number > 0 for number in numbers):
            return Shape(told["num_inputs"], told["num_outputs"], told["loss"])
    task = load(config.dataset)
    if task.checksum != _at(record.identity["workload"], "dataset").get("checksum"):
        raise UserError(f"the data of {record.path} have changed since, and it does not say how many inputs they had")
    return Shape(task.num_features, task.num_outputs, task.loss)


def cost_workload(record: Record, shape: Shape) -> dict[str, Any]:
    """Return what decides the cost of a record's workload: not its data, learning rate, schedule or budget of steps."""
    workload = record.identity["workload"]
    optimizer = {key: value for key, value in _at(workload, "optimizer").items() if key != "lr"}
    return {
        **asdict(shape),
        "engine_version": workload.get("engine_version"),
        "model": dict(_at(workload, "model")),
        "optimizer": optimizer,
        "batch_size": _at(workload, "budget").get("batch_size"),
        "trainer": dict(_at(workload, "trainer")),
    }


def _at(workload: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a part of a workload; a stranger may have written it."""
    part = workload.get(key)
    return part if isinstance(part, dict) else {}
