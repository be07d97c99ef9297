"""Mirrors of the curves in Weights & Biases, TensorBoard or CSV. The run record is the truth; a mirror may fail."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from bnbench.config import LoggerConfig, as_dict
from bnbench.datasets import Task
from bnbench.errors import UserError, nearest
from bnbench.records import Record, digest
from bnbench.training.cells import Cell
from bnbench.training.history import Observation, Trajectory

LOGGERS = ("wandb", "tensorboard", "csv", "none")
AXES = ("step", "epoch", "samples")
Summarise = Callable[[Record], Mapping[str, Any]]


def check_logger(config: LoggerConfig) -> None:
    """Raise UserError for an unknown logger."""
    if config.name not in LOGGERS:
        raise UserError(f"logger '{config.name}' is unknown; {nearest(config.name, LOGGERS)}")


class Mirror:
    """Follows the replicas of one cell: mean and band over seeds at every evaluation, a summary at the end.

    Whatever the logger does, training goes on: the first error is told in one warning, and the mirror stays silent.
    """

    def __init__(
        self, cell: Cell, task: Task, members: range, seeds: Sequence[int], *, experiment: str, summarise: Summarise
    ) -> None:
        self._members = np.array(members)
        self._task = task
        self._cell = cell
        self._summarise = summarise
        self._logger: Logger | None = None
        self._guard(lambda: self._open(seeds, experiment))

    def observe(self, observation: Observation, trajectory: Trajectory) -> None:
        """Log one evaluation of the cell's replicas."""
        self._guard(lambda: self._log(observation))

    def close(self, records: Sequence[Record]) -> None:
        """Log the summary of the cell's record and finish the run, also after a failure."""
        mine = [record for record in records if record.cell_id == self._cell.cell_id]
        self._guard(lambda: self._summary(mine))
        self._guard(self._finish)

    def _open(self, seeds: Sequence[int], experiment: str) -> None:
        folder = Path(self._cell.config.runs_dir) / self._cell.config.logger.name
        name = f"{self._task.name}-{self._cell.entry}"
        config = as_dict(self._cell.config) | {
            "seeds": list(seeds),
            "entry": self._cell.entry,
            "cell_id": self._cell.cell_id,
            "workload_id": self._cell.workload_id,
        }
        kind = self._cell.config.logger.name
        if kind == "wandb":
            self._logger = _wandb_logger(self._cell, folder, name, config, experiment)
        elif kind == "tensorboard":
            self._logger = TensorBoardLogger(folder, name=self._cell.cell_id, version=digest(list(seeds)))
        elif kind == "csv":
            self._logger = CSVLogger(folder, name=self._cell.cell_id, version=digest(list(seeds)))
        if self._logger is not None and kind != "wandb":
            self._logger.log_hyperparams(config)

    def _log(self, observation: Observation) -> None:
        chosen = np.isin(observation.members, self._members)
        if self._logger is None or not chosen.any():
            return
        samples = observation.step * self._cell.config.budget.batch_size
        metrics: dict[str, float] = {
            "step": observation.step,
            "epoch": samples / len(self._task.train_inputs),
            "samples": samples,
            "seeds_alive": int(chosen.sum()),
            "learning_rate": float(observation.learning_rate[chosen][0]),
        }
        curves = {
            "train_loss": observation.train_loss,
            "val_loss": observation.val_loss,
            f"val_{self._task.metric_name}": observation.val_metric,
        }
        for name, values in curves.items():
            metrics |= _band(name, values[chosen])
        self._logger.log_metrics(metrics, step=observation.step)

    def _summary(self, records: Sequence[Record]) -> None:
        if self._logger is None or not records:
            return
        summary = dict(self._summarise(records[0]))
        if isinstance(self._logger, WandbLogger):
            self._logger.experiment.summary.update(summary)
        else:
            numbers = {name: value for name, value in summary.items() if isinstance(value, int | float)}
            self._logger.log_metrics(numbers, step=self._cell.config.budget.max_steps)

    def _finish(self) -> None:
        if self._logger is None:
            return
        self._logger.finalize("success")
        if isinstance(self._logger, WandbLogger):
            self._logger.experiment.finish()

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # the record is written all the same, and the network is not ours
            logger, self._logger = self._cell.config.logger.name, None
            warnings.warn(f"logger={logger} failed and stays silent: {type(error).__name__}: {error}", stacklevel=2)


def _band(name: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """Return the mean over seeds and the band that holds the middle 80 % of them; nothing where no value is finite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {}
    low, high = np.quantile(finite, (0.1, 0.9))
    return {f"{name}/mean": float(finite.mean()), f"{name}/low": float(low), f"{name}/high": float(high)}


def _wandb_logger(cell: Cell, folder: Path, name: str, config: dict[str, Any], experiment: str) -> WandbLogger:
    folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=cell.config.logger.project,
        entity=cell.config.logger.entity,
        name=name,
        group=experiment or cell.workload_id,
        tags=[cell.config.dataset.name, cell.identity["entry"]["norm"][:64], cell.config.track],
        config=config,
        dir=folder,
        mode=wandb_mode(),
        reinit="create_new",
        settings=wandb.Settings(console="off", silent=True, init_timeout=30),
    )
    for axis in AXES:
        run.define_metric(axis, hidden=True)
    for curve in ("train_loss/*", "val_loss/*", f"val_{cell.config.dataset.metric}/*", "seeds_alive", "learning_rate"):
        run.define_metric(curve, step_metric="step")
    return WandbLogger(experiment=run)


def wandb_mode() -> Any:
    """Return how Weights & Biases runs: as WANDB_MODE says, else online for who is logged in, else offline."""
    mode = os.environ.get("WANDB_MODE")
    if mode:
        return mode
    return "online" if wandb.api.api_key else "offline"
