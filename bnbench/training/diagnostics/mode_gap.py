"""How far a network in evaluation is from the one that trains."""

import torch

from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.moment import Batch, Moment


@diagnostic("mode_gap")
@torch.no_grad()
def measure_mode_gap(moment: Moment) -> list[Measurement]:
    """Measure the loss in training mode and in evaluation mode on the same rows.

    mode_gap = |L(training) − L(evaluation)|, on the first probe rows, as many as a minibatch has: how far the
    statistics of a batch are from the running ones depends on its size. Where neither norm nor dropout tells the modes
    apart it is exactly 0.
    Units: those of the loss.
    """
    training, evaluation = (moment.losses(probe_batch(moment), training=mode).double() for mode in (True, False))
    return [Measurement("mode_gap", "", (training - evaluation).abs())]


def probe_batch(moment: Moment) -> Batch:
    """Return the first rows of the probe, as many as a minibatch has; all of them where they are fewer."""
    inputs, labels = moment.probe
    size = moment.minibatch.labels.shape[-1]
    return Batch(inputs[..., :size, :], labels[..., :size])
