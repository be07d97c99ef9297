"""From one configuration to its cells: what decides their results, their ids, and which seeds are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bnbench.config import Config, learning_rates, parse_seeds
from bnbench.datasets import Task
from bnbench.introduction_defaults import INTRODUCTION_DEFAULTS
from bnbench.models import model_version
from bnbench.norms import ChosenNorm
from bnbench.records import ENGINE_VERSION, cell_folder, finished_seeds, run_ids, without_introduction_defaults

# what names a data set's rows and how they are prepared; where they lie and what is said of them decides nothing
DATASET_KEYS = ("name", "preprocessing", "data_seed", "validation_fraction", "test_fraction", "metric")


@dataclass(frozen=True)
class Cell:
    """Workload × entry: one learning rate of a configuration, with its ids and its folder."""

    config: Config
    entry: str
    identity: dict[str, Any]
    cell_id: str
    workload_id: str
    folder: Path

    @property
    def learning_rate(self) -> float:
        """Return the base learning rate."""
        return float(self.config.optimizer.lr)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the seeds the configuration asks for."""
        return parse_seeds(self.config.seeds)

    def missing_seeds(self) -> tuple[int, ...]:
        """Return the seeds that no finished record holds yet."""
        finished = finished_seeds(self.folder)
        return tuple(seed for seed in self.seeds if seed not in finished)


def plan_cells(config: Config, task: Task, norm: ChosenNorm) -> list[Cell]:
    """Return one cell per learning rate."""
    return [_cell(config, rate, task, norm) for rate in learning_rates(config)]


def _cell(config: Config, rate: float, task: Task, norm: ChosenNorm) -> Cell:
    config = replace(config, optimizer=replace(config.optimizer, lr=rate))
    identity = {"workload": workload_identity(config, task), "entry": entry_identity(norm)}
    cell_id, workload_id = run_ids(identity)
    folder = cell_folder(config.runs_dir, dataset=task.name, norm=norm.norm.name, cell_id=cell_id)
    return Cell(config, norm.entry, identity, cell_id, workload_id, folder)


def workload_identity(config: Config, task: Task) -> dict[str, Any]:
    """Return everything that decides a result except entry and seed, options at their introduction default left out."""
    dataset = {key: value for key, value in asdict(config.dataset).items() if key in DATASET_KEYS}
    identity: dict[str, Any] = {
        "engine_version": ENGINE_VERSION,
        "dataset": _without_defaults("dataset", dataset) | {"checksum": task.checksum},
        "model": _without_defaults("model", asdict(config.model)),
        "optimizer": _without_defaults("optimizer", asdict(config.optimizer)),
        "schedule": _without_defaults("schedule", asdict(config.schedule)),
        "budget": asdict(config.budget),
        "trainer": _without_defaults("trainer", {"precision": config.trainer.precision}),
    }
    version = model_version(asdict(config.model))
    if version is not None:
        identity["model"]["version"] = version
    return identity


def entry_identity(norm: ChosenNorm) -> dict[str, Any]:
    """Return what makes a contestant: norm, version, and its options without those at their introduction default."""
    options = _without_defaults(f"norm.{norm.norm.name}", norm.options)
    return {"norm": norm.norm.name, "version": norm.norm.version, "options": options}


def _without_defaults(table: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return without_introduction_defaults(options, INTRODUCTION_DEFAULTS.get(table, {}))


def index_of(cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """Return what an experiment's index holds of these cells."""
    return {
        cell.cell_id: {"entry": cell.entry, "dataset": cell.config.dataset.name, "seeds": list(cell.seeds)}
        for cell in cells
    }
