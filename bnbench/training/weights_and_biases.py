"""One run in Weights & Biases per cell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bnbench.config import LoggerConfig
from bnbench.wandb_run import start_wandb_run

AXES = ("step", "epoch", "samples")


class WandbRun:
    """A run that logs curves over step, epoch and samples; `axis` is the one its charts begin with."""

    def __init__(
        self,
        options: LoggerConfig,
        *,
        folder: Path,
        name: str,
        group: str,
        tags: Sequence[str],
        config: Mapping[str, Any],
        curves: Sequence[str],
    ) -> None:
        self._run = start_wandb_run(
            project=options.project,
            entity=options.entity,
            folder=folder,
            name=name,
            group=group,
            tags=tags,
            config=config,
        )
        for axis in AXES:
            self._run.define_metric(axis, hidden=True)
        for curve in curves:
            self._run.define_metric(curve, step_metric=options.x_axis)

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Log one evaluation; the step is among the metrics, where wandb wants it."""
        self._run.log(dict(metrics))

    def summarise(self, summary: Mapping[str, Any], *, step: int) -> None:
        """Write the summary of the run."""
        self._run.summary.update(dict(summary))

    def finish(self, *, failed: bool) -> None:
        """Finish the run: without this, the next one would go on in it."""
        self._run.finish(exit_code=int(failed))
