"""Every replica sees permutation after permutation, cut into batches of exactly B rows, whatever the norm."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bnbench.errors import UserError
from bnbench.norms import NORMS
from bnbench.seeding import generator
from bnbench.training import module as module_file
from bnbench.training.data_order import DataOrder, order_dtype


def first_batches(seeds: list[int], count: int, *, num_rows: int, batch_size: int) -> list[Tensor]:
    return list(islice(DataOrder(seeds, num_rows=num_rows, batch_size=batch_size), count))


@pytest.mark.parametrize(("num_rows", "batch_size"), [(10, 3), (10, 5), (10, 10), (7, 6), (5, 1), (9, 8)])
def test_concatenated_batches_are_permutation_after_permutation(num_rows: int, batch_size: int) -> None:
    batches = first_batches([0, 5], 4 * num_rows, num_rows=num_rows, batch_size=batch_size)
    assert all(batch.shape == (2, batch_size) for batch in batches)
    epochs = torch.cat(batches, dim=1).view(2, -1, num_rows)
    assert torch.equal(epochs.sort(-1).values, torch.arange(num_rows).expand_as(epochs))


def test_epochs_differ_from_each_other_and_between_seeds() -> None:
    epochs = torch.cat(first_batches([0, 1], 6, num_rows=20, batch_size=10), dim=1).view(2, 3, 20)
    distinct = {tuple(epoch.tolist()) for epoch in epochs.flatten(0, 1)}
    assert len(distinct) == 6


def test_order_of_a_seed_does_not_depend_on_its_company() -> None:
    alone = torch.stack(first_batches([4], 9, num_rows=11, batch_size=4))
    among = torch.stack(first_batches([0, 9, 4], 9, num_rows=11, batch_size=4))
    assert torch.equal(alone[:, 0], among[:, 2])


@pytest.mark.parametrize("num_rows", [97, 70_000])
def test_order_is_that_of_permutations_drawn_in_int64(num_rows: int) -> None:
    """It decides results: held in another type or drawn at another time, it must be the same."""
    batches = first_batches([0, 7], 4, num_rows=num_rows, batch_size=num_rows // 2 + 1)
    for position, seed in enumerate((0, 7)):
        stream = generator(seed, "data order")
        expected = torch.cat([torch.randperm(num_rows, generator=stream) for _ in range(3)])
        found = torch.cat([batch[position] for batch in batches])
        assert found.dtype == torch.int64
        assert torch.equal(found, expected[: len(found)])


def test_batches_already_handed_out_are_not_drawn_over() -> None:
    batches = first_batches([0], 40, num_rows=10, batch_size=4)
    again = first_batches([0], 40, num_rows=10, batch_size=4)
    assert all(torch.equal(one, other) for one, other in zip(batches, again, strict=True))
    assert torch.equal(torch.cat(batches, dim=1).view(-1, 10).sort(-1).values[0], torch.arange(10))


def test_order_takes_four_bytes_per_row_and_replica() -> None:
    assert order_dtype(2**31 - 1) == torch.int32
    assert order_dtype(2**31) == torch.int64


@pytest.mark.parametrize("batch_size", [0, 11])
def test_batch_that_the_rows_cannot_fill_is_refused(batch_size: int) -> None:
    with pytest.raises(UserError, match=rf"batch_size={batch_size}: expected between 1 and the 10 rows"):
        DataOrder([0], num_rows=10, batch_size=batch_size)


def test_every_norm_trains_on_the_same_rows_from_the_same_weights(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the training step receives, not only what the order promises."""
    seen: list[Tensor] = []
    training_step = module_file.ReplicaTraining.training_step

    def watched(self: Any, rows: Tensor, batch_idx: int) -> Tensor:
        seen.append(rows.clone())
        return training_step(self, rows, batch_idx)

    monkeypatch.setattr(module_file.ReplicaTraining, "training_step", watched)
    received = {}
    for norm in NORMS.names():
        seen.clear()
        train([0, 1], norm=norm, change=lambda replicas, step: None)
        received[norm] = torch.stack(seen).numpy()
    for norm, rows in received.items():
        np.testing.assert_array_equal(rows, received["none"], err_msg=norm)
