"""How far a network in evaluation is from the one that trains."""

import torch

from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.moment import Batch, Moment

# averaged over: the statistics of one minibatch are noise, and each costs a third of a step
MAX_BATCHES = 2


@diagnostic("mode_gap")
@torch.no_grad()
def measure_mode_gap(moment: Moment) -> list[Measurement]:
    """Measure the loss in training mode and in evaluation mode on the same rows.

    mode_gap = |L(training) − L(evaluation)|, each the mean over up to two batches of the probe rows, of the size that
    trains: that size decides how far statistics of a batch are from the running ones. Where neither norm nor dropout
    tells the modes apart it is exactly 0.
    Units: those of the loss.
    """
    batches = probe_batches(moment)
    training, evaluation = (
        torch.stack([moment.losses(batch, training=mode) for batch in batches]).double().mean(0)
        for mode in (True, False)
    )
    return [Measurement("mode_gap", "", (training - evaluation).abs())]


def probe_batches(moment: Moment) -> list[Batch]:
    """Return batches of the probe rows of the size that trains; one of them all where they are fewer."""
    inputs, labels = moment.probe
    size = min(moment.minibatch.labels.shape[-1], labels.shape[-1])
    starts = range(0, labels.shape[-1] - size + 1, size)[:MAX_BATCHES]
    return [Batch(inputs[..., first : first + size, :], labels[..., first : first + size]) for first in starts]
