"""Mirrors of the curves in Weights & Biases, TensorBoard or CSV. The run record is the truth; a mirror may fail."""

import warnings
from bisect import bisect, bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from bnbench.config import LoggerConfig, as_dict, budget_of
from bnbench.datasets import Task
from bnbench.errors import UserError, nearest
from bnbench.records import Record, digest
from bnbench.training.cells import Cell
from bnbench.training.diagnostics.readings import Diagnosed
from bnbench.training.history import Integers, Observation, Trajectory
from bnbench.training.weights_and_biases import AXES, WandbRun

LOGGERS = ("wandb", "tensorboard", "csv", "none")
Summarise = Callable[[Record], Mapping[str, Any]]


def check_logger(config: LoggerConfig) -> None:
    """Raise UserError for an unknown logger or axis."""
    if config.name not in LOGGERS:
        raise UserError(f"logger '{config.name}' is unknown; {nearest(config.name, LOGGERS)}")
    if config.x_axis not in AXES:
        raise UserError(f"logger.x_axis={config.x_axis} is unknown; {nearest(config.x_axis, AXES)}")


class Log(Protocol):
    """Where one cell's curves go."""

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Log one evaluation."""

    def summarise(self, summary: Mapping[str, Any], *, step: int) -> None:
        """Log what the whole run comes to."""

    def finish(self, *, failed: bool) -> None:
        """Write out what is pending and close."""


class LightningLog:
    """TensorBoard's event files or CSV files, by Lightning's loggers."""

    def __init__(self, logger: Logger, config: Mapping[str, Any]) -> None:
        self._logger = logger
        logger.log_hyperparams(dict(config))

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Log one evaluation."""
        self._logger.log_metrics(dict(metrics), step=step)

    def summarise(self, summary: Mapping[str, Any], *, step: int) -> None:
        """Log the numbers of the summary at the last step: these formats have no place for others."""
        numbers = {name: value for name, value in summary.items() if isinstance(value, int | float)}
        self._logger.log_metrics(numbers, step=step)

    def finish(self, *, failed: bool) -> None:
        """Write out what is pending."""
        self._logger.finalize("failed" if failed else "success")


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
        self._logger: Log | None = None
        self._guard(lambda: self._open(seeds, experiment))

    def observe(self, observation: Observation, trajectory: Trajectory) -> None:
        """Log one evaluation of the cell's replicas."""
        self._guard(lambda: self._log(observation, trajectory.diagnosed))

    def close(self, records: Sequence[Record]) -> None:
        """Log the summary of the cell's record and finish the run, also after a failure."""
        mine = [record for record in records if record.cell_id == self._cell.cell_id]
        self._guard(lambda: self._summary(mine))
        self._guard(lambda: self._finish(failed=not mine))

    def _open(self, seeds: Sequence[int], experiment: str) -> None:
        cell = self._cell
        config = as_dict(cell.config) | {
            "seeds": list(seeds),
            "entry": cell.entry,
            "cell_id": cell.cell_id,
            "workload_id": cell.workload_id,
        }
        runs_dir = Path(cell.config.runs_dir)
        version = digest(list(seeds), length=8)
        kind = cell.config.logger.name
        if kind == "tensorboard":
            self._logger = LightningLog(TensorBoardLogger(runs_dir / kind, cell.cell_id, version), config)
        elif kind == "csv":
            self._logger = LightningLog(CSVLogger(runs_dir / kind, cell.cell_id, version), config)
        elif kind == "wandb":
            self._logger = WandbRun(
                cell.config.logger,
                folder=runs_dir,  # where wandb makes its own folder, named wandb
                name=f"{self._task.name}-{cell.entry}",
                group=experiment or cell.workload_id,
                tags=[self._task.name, cell.identity["entry"]["norm"], cell.config.track],
                config=config,
                curves=(*(f"{curve}/*" for curve in self._curves), "seeds_alive", "learning_rate", "diagnostics/*"),
            )

    @property
    def _curves(self) -> tuple[str, str, str]:
        return ("train_loss", "val_loss", f"val_{self._task.metric_name}")

    def _log(self, observation: Observation, diagnosed: Diagnosed | None) -> None:
        chosen = np.isin(observation.members, self._members)
        if self._logger is None or not chosen.any():
            return
        samples = observation.step * budget_of(self._cell.config).batch_size
        metrics: dict[str, float] = {
            "step": observation.step,
            "epoch": samples / len(self._task.train_inputs),
            "samples": samples,
            "seeds_alive": int(chosen.sum()),
            "learning_rate": float(observation.learning_rate[chosen][0]),
        }
        values = (observation.train_loss, observation.val_loss, observation.val_metric)
        for name, of_replicas in zip(self._curves, values, strict=True):
            metrics |= _band(name, of_replicas[chosen])
        if diagnosed is not None:
            metrics |= _means(diagnosed, observation.step, self._members)
        self._logger.log(metrics, step=observation.step)

    def _summary(self, records: Sequence[Record]) -> None:
        if self._logger is None or not records:
            return
        self._logger.summarise(self._summarise(records[0]), step=budget_of(self._cell.config).max_steps)

    def _finish(self, *, failed: bool) -> None:
        if self._logger is not None:
            self._logger.finish(failed=failed)

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # the record is written all the same, and the network is not ours
            logger, self._logger = self._cell.config.logger.name, None
            warnings.warn(f"logger={logger} failed and stays silent: {type(error).__name__}: {error}", stacklevel=2)


def _means(diagnosed: Diagnosed, step: int, members: Integers) -> dict[str, float]:
    """Return the mean over seeds of everything measured at a step, as diagnostics/<layer>/<name>."""
    means = {}
    # by step they are in order; one taken up from a checkpoint is told of its earlier evaluations too
    first, last = (side(diagnosed.readings, step, key=lambda reading: reading.step) for side in (bisect_left, bisect))
    for reading in diagnosed.readings[first:last]:
        values = reading.values[np.isin(reading.members, members) & np.isfinite(reading.values)]
        if len(values):
            means["/".join(filter(None, ("diagnostics", reading.layer, reading.name)))] = float(values.mean())
    return means


def _band(name: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """Return the mean over seeds and the band that holds the middle 80 % of them; nothing where no value is finite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {}
    low, high = np.quantile(finite, (0.1, 0.9))
    return {f"{name}/mean": float(finite.mean()), f"{name}/low": float(low), f"{name}/high": float(high)}
