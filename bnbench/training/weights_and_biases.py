"""One run in Weights & Biases per cell: offline unless the user is logged in."""

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from bnbench.config import LoggerConfig

AXES = ("step", "epoch", "samples")
LOGIN_SECONDS = 30
Mode = Literal["online", "offline", "disabled"]


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
        import wandb  # noqa: PLC0415  # a second of start-up, and training must work where it is missing

        folder.mkdir(parents=True, exist_ok=True)
        wandb.setup(settings=wandb.Settings(silent=True))
        start = partial(
            wandb.init,
            project=options.project,
            entity=options.entity,
            name=name,
            group=group,
            tags=[tag[:64] for tag in tags],  # longer ones are refused
            config=dict(config),
            dir=folder,
            reinit="create_new",  # beside the runs of the other cells that train now
            settings=wandb.Settings(console="off", silent=True, init_timeout=LOGIN_SECONDS),
        )
        mode = _mode(wandb)
        try:
            self._run = start(mode=mode)
        except wandb.Error as error:
            if mode != "online":
                raise
            # nobody is there now: later cells do not wait for the answer again
            os.environ["WANDB_MODE"] = "offline"
            warnings.warn(f"Weights & Biases cannot be reached; runs are kept offline: {error}", stacklevel=2)
            self._run = start(mode="offline")
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


def _mode(wandb: Any) -> Mode:
    """Return how runs are kept: as WANDB_MODE says, else online for who is logged in, else offline."""
    chosen = os.environ.get("WANDB_MODE")
    if chosen:
        return cast(Mode, chosen)
    return "online" if wandb.login(prompt=False, verify=False) else "offline"
