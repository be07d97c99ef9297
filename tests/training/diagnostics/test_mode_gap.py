"""Train mode against evaluation mode: exactly nothing without state, and what torch's own layers say with it."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from bnbench.norms import NORMS
from bnbench.training.diagnostics.mode_gap import measure_mode_gap, probe_batch
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


def test_of_batch_norm_it_is_that_of_torchs_own_layers_on_as_many_rows_as_train(
    moment_of: MomentOf,
) -> None:
    moment = moment_of("batch", steps=4, model__hidden=[6])
    inputs, labels = probe_batch(moment)
    assert len(labels) == 16
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
        losses = {}
        for training in (True, False):
            network.train(training)
            network[1].running_mean = held["hidden.0.norm.running_mean"][replica].clone()
            network[1].running_var = held["hidden.0.norm.running_variance"][replica].clone()
            losses[training] = nn.functional.cross_entropy(network(inputs), labels).item()
        expected = abs(losses[True] - losses[False])
        assert found.values[replica].item() == pytest.approx(expected, rel=1e-9)


def test_where_probe_rows_are_fewer_than_a_minibatch_all_are_taken(moment_of: MomentOf) -> None:
    moment = moment_of("batch", budget__batch_size=60)
    assert len(probe_batch(moment).labels) == 48
