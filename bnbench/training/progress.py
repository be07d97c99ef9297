"""One line about the batch that trains now, and the sweep it belongs to."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import numpy as np
from rich.cells import cell_len, set_cell_size

from bnbench.training.history import Observation, Trajectory

SECONDS_BETWEEN_LINES = 10.0  # where lines cannot be overwritten


class Progress:
    """Writes cell, step, best metric, seeds alive, time left: one line, overwritten on a terminal, sparse elsewhere.

    On a terminal `sweep` is asked for the beginning of the line, given the fraction of the batch that is done.
    """

    def __init__(
        self,
        name: str,
        *,
        metric: str,
        max_steps: int,
        stream: TextIO | None = None,
        sweep: Callable[[float], str] = lambda fraction: "",
        overwrite: bool = True,
    ) -> None:
        self._name = name
        self._metric = metric
        self._max_steps = max_steps
        self._stream = sys.stderr if stream is None else stream
        self._sweep = sweep
        # several workers on one terminal would overwrite each other
        self._overwrite = overwrite and self._stream.isatty()
        self._started = self._written = time.monotonic()

    def observe(self, observation: Observation, trajectory: Trajectory) -> None:
        """Write the line of one evaluation."""
        now = time.monotonic()
        if not self._overwrite and now - self._written < SECONDS_BETWEEN_LINES:
            return
        self._written = now
        text = self._line(observation, trajectory, elapsed=now - self._started)
        if self._overwrite:
            sweep = self._sweep(observation.step / self._max_steps)
            text = "\r\x1b[2K" + _fitting(" | ".join(filter(None, [sweep, text])), self._stream)
        self._stream.write(text if self._overwrite else f"{text}\n")
        self._stream.flush()

    def close(self, records: Sequence[Any]) -> None:
        """Clear the line: what came of it is reported by the job."""
        if self._overwrite:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()

    def _line(self, observation: Observation, trajectory: Trajectory, *, elapsed: float) -> str:
        step = observation.step
        known = trajectory.best_metric[~np.isnan(trajectory.best_metric)]
        best = float(np.median(known)) if len(known) else float("nan")
        left = f"{duration(elapsed * (self._max_steps - step) / step)} left" if step else "starting"
        return (
            f"{self._name}  step {step}/{self._max_steps}  best {self._metric} {best:.4g}  "
            f"seeds {len(observation.members)}/{trajectory.count}  {left}"
        )


def _fitting(text: str, terminal: TextIO) -> str:
    """Return what of a text fits one line of a terminal: what wraps could not be overwritten."""
    try:
        width = os.get_terminal_size(terminal.fileno()).columns - 1
    except OSError:
        return text  # a terminal that does not tell its size
    return set_cell_size(text, width) if cell_len(text) > width > 0 else text


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(7.2), duration(75), duration(7300)
    ('8 s', '1 min 15 s', '2 h 1 min')
    """
    whole = int(np.ceil(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
