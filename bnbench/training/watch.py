"""What the minibatch losses of each replica say: their mean, spikes, the step they stopped being finite at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

SPIKE_WINDOW = 100
SPIKE_DEVIATIONS = 6.0
# makes the median absolute deviation of a normal distribution its standard deviation
DEVIATIONS_PER_MAD = 1.4826

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """The steps since the last evaluation, per replica: mean loss, first step whose loss was not finite (0: none)."""

    mean_loss: Floats
    first_bad_step: npt.NDArray[np.int64]


class LossWatch:
    """Collects the (R,) minibatch losses of every step; reads them only at evaluations, off the clock.

    A spike is a loss above the median of the last 100 by more than 6 robust standard deviations (1.4826 · MAD).
    `total` makes of the losses (steps, R) those of whole batches, where each rank adds a part of them.
    """

    def __init__(self, count: int, *, total: Callable[[Tensor], Tensor] = lambda losses: losses) -> None:
        self.spikes = np.zeros(count, dtype=np.int64)
        self.max_loss = np.full(count, -np.inf)
        self._members = np.arange(count)
        self._total = total
        self._steps: list[Tensor] = []
        self._past: Floats = np.empty((0, count))
        self._step = 0

    def add(self, losses: Tensor) -> None:
        """Take the losses of one step; nothing is computed here."""
        self._steps.append(losses)

    def clear(self) -> None:
        """Forget the losses since the last evaluation, of which there will be none."""
        self._steps = []

    def close_window(self) -> Window:
        """Return what happened since the last call, and forget the single losses."""
        losses = np.empty((0, len(self._members)))
        if self._steps:
            device = self._steps[-1].device  # losses taken up from a file are on the CPU
            losses = self._total(torch.stack([each.to(device) for each in self._steps])).double().cpu().numpy()
        self._steps = []
        finite = np.isfinite(losses)
        alive = np.logical_and.accumulate(finite, axis=0)  # false from the first bad step on
        first_bad = np.where(alive.all(0), 0, self._step + alive.sum(0) + 1)
        self._step += len(losses)
        self._count_spikes(np.where(alive, losses, np.nan))
        with np.errstate(invalid="ignore"):
            # one after another: the pairwise sum of a single column would round otherwise than that of several
            mean = np.cumsum(losses, axis=0)[-1] / len(losses) if len(losses) else np.full(len(self._members), np.nan)
        return Window(mean, first_bad)

    def _count_spikes(self, losses: Floats) -> None:
        if not len(losses):
            return
        self.max_loss[self._members] = np.fmax(self.max_loss[self._members], np.fmax.reduce(losses, axis=0))
        joined = np.concatenate([self._past, losses])
        for replica, member in enumerate(self._members):
            self.spikes[member] += count_spikes(joined[:, replica], new=len(losses))
        self._past = joined[-SPIKE_WINDOW:]

    def state(self) -> dict[str, Tensor]:
        """Return what was seen so far, the losses since the last evaluation included."""
        losses = torch.stack(self._steps) if self._steps else torch.empty(0, len(self._members))
        seen = {"spikes": self.spikes, "max_loss": self.max_loss, "past": self._past, "step": np.array(self._step)}
        return {"losses": losses, **{name: torch.from_numpy(values) for name, values in seen.items()}}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what was seen; the replicas that had left are out already."""
        self.spikes, self.max_loss = state["spikes"].numpy(), state["max_loss"].numpy()
        self._past, self._step = state["past"].numpy(), int(state["step"])
        self._steps = list(state["losses"])

    def keep(self, chosen: npt.NDArray[np.int64]) -> None:
        """Go on for the chosen replicas only (positions among those still there)."""
        self._members = self._members[chosen]
        self._past = self._past[:, chosen]


def count_spikes(losses: Floats, *, new: int) -> int:
    """Return how many of the last `new` losses are spikes against the 100 before each; the first 100 never are.

    >>> count_spikes(np.array([1.0, 1.1] * 60 + [9.0]), new=1)
    1
    """
    first = max(SPIKE_WINDOW, len(losses) - new)
    if first >= len(losses):
        return 0
    windows = np.lib.stride_tricks.sliding_window_view(losses[first - SPIKE_WINDOW : -1], SPIKE_WINDOW)
    medians = np.median(windows, axis=1)
    deviations = np.median(np.abs(windows - medians[:, None]), axis=1) * DEVIATIONS_PER_MAD
    return int((losses[first:] > medians + SPIKE_DEVIATIONS * deviations).sum())
