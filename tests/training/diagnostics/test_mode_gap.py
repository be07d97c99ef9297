"""Train mode against evaluation mode: exactly nothing without state, and what torch's own layers say with it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from bnbench.norms import NORMS
from bnbench.training.diagnostics.mode_gap import MAX_BATCHES, measure_mode_gap, probe_batches
from bnbench.training.diagnostics.moment import Moment

MomentOf = Callable[..., Moment]


@pytest.mark.parametrize("norm", NORMS.names())
def test_only_a_norm_with_state_tells_the_modes_apart(norm: str, moment_of: MomentOf) -> None:
    moment = moment_of(norm, steps=3, dtype=torch.float32)
    (found,) = measure_mode_gap(moment)
    if moment.replicas.buffer_names:
        assert (found.values > 0).all()
    else:
        assert found.values.tolist() == [0.0, 0.0, 0.0]


def test_dropout_tells_them_apart_too(moment_of: MomentOf) -> None:
    (found,) = measure_mode_gap(moment_of("layer", steps=1, model__dropout=0.5))
    assert (found.values > 0).all()


def test_of_batch_norm_it_is_that_of_torchs_own_layers_over_batches_of_the_size_that_trains(
    moment_of: MomentOf,
) -> None:
    moment = moment_of("batch", steps=4, model__hidden=[6])
    batches = probe_batches(moment)
    assert [len(batch.labels) for batch in batches] == [16] * MAX_BATCHES
    held = dict(zip(moment.replicas.buffer_names, moment.replicas.buffers_stacked, strict=True)) | moment.weights
    (found,) = measure_mode_gap(moment)
    for replica in range(3):
        network = nn.Sequential(nn.Linear(12, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)).double()
        network[0].weight.data, network[0].bias.data = (
            held[f"hidden.0.linear.{it}"][replica] for it in ("weight", "bias")
        )
        network[1].weight.data, network[1].bias.data = (
            held[f"hidden.0.norm.{it}"][replica] for it in ("weight", "bias")
        )
        network[3].weight.data, network[3].bias.data = (held[f"output.{it}"][replica] for it in ("weight", "bias"))
        losses: dict[bool, list[float]] = {True: [], False: []}
        for inputs, labels in batches:
            for training in (True, False):
                network.train(training)
                network[1].running_mean = held["hidden.0.norm.running_mean"][replica].clone()
                network[1].running_var = held["hidden.0.norm.running_variance"][replica].clone()
                losses[training].append(nn.functional.cross_entropy(network(inputs), labels).item())
        expected = abs(np.mean(losses[True]) - np.mean(losses[False]))
        assert found.values[replica].item() == pytest.approx(expected, rel=1e-9)


def test_fewer_probe_rows_than_a_batch_make_one_batch(moment_of: MomentOf) -> None:
    moment = moment_of("batch", budget__batch_size=60)
    assert [len(batch.labels) for batch in probe_batches(moment)] == [48]
