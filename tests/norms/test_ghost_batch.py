"""Ghost batch norm: how the batch is cut, and what it remembers of the parts."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.norms.ghost_batch import part_sizes, sizes_within

BuildLayer = Callable[..., nn.Module]
MakeInputs = Callable[..., Tensor]


@given(st.integers(2, 600), st.integers(2, 700))
def test_parts_are_the_batch_in_nearly_equal_pieces_none_too_small(rows: int, ghost_rows: int) -> None:
    sizes = part_sizes(rows, ghost_rows)
    assert sum(sizes) == rows
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(ghost_rows, rows)
    assert len(sizes) == max(1, rows // ghost_rows)


@given(st.integers(2, 200), st.integers(2, 50), st.lists(st.integers(0, 200), max_size=4))
def test_ranks_hold_every_row_of_every_part_once(rows: int, ghost_rows: int, cuts: list[int]) -> None:
    sizes = part_sizes(rows, ghost_rows)
    bounds = sorted([0, *(min(cut, rows) for cut in cuts), rows])
    held = [sizes_within(sizes, start, stop) for start, stop in pairwise(bounds)]
    assert [sum(rank) for rank in held] == [stop - start for start, stop in pairwise(bounds)]
    assert [sum(part) for part in zip(*held, strict=True)] == sizes


@pytest.mark.parametrize("num_rows", [2, 15, 31])
def test_batch_too_small_to_cut_is_batch_norm(build_layer: BuildLayer, make_inputs: MakeInputs, num_rows: int) -> None:
    layer, batch = build_layer("ghost_batch"), build_layer("batch")
    for step in (1, 2):
        x = make_inputs(12, num_rows) * step
        torch.testing.assert_close(layer(x), batch(x))
    x = make_inputs(12, num_rows)
    torch.testing.assert_close(layer.eval()(x), batch.eval()(x))


def test_every_part_is_normalized_alone(build_layer: BuildLayer, make_inputs: MakeInputs) -> None:
    x = make_inputs(12, 37)
    changed = torch.cat([x[:19], x[19:] * 5 + 2])  # 19 rows, then 18
    assert torch.equal(build_layer("ghost_batch")(x)[:19], build_layer("ghost_batch")(changed)[:19])
    torch.testing.assert_close(build_layer("ghost_batch")(x)[:19], build_layer("batch")(x[:19]))


def test_running_statistics_move_once_a_step_to_the_mean_over_parts(
    build_layer: BuildLayer, make_inputs: MakeInputs
) -> None:
    x = make_inputs(12, 37)
    x[19:] += 100  # between the parts, which is no variance within them
    layer = build_layer("ghost_batch", momentum=0.25)
    layer(x)
    within = (19 * x[:19].var(0) + 18 * x[19:].var(0)) / 37
    torch.testing.assert_close(layer.get_buffer("running_mean"), 0.25 * x.mean(0))
    torch.testing.assert_close(layer.get_buffer("running_variance"), 0.75 + 0.25 * within)


@pytest.mark.parametrize("ghost_rows", [1, 0, -4])
def test_parts_of_fewer_than_two_rows_are_refused(build_layer: BuildLayer, ghost_rows: int) -> None:
    message = rf"^norm 'ghost_batch': ghost_rows={ghost_rows}: expected a number of at least 2 \(set norm.ghost_rows\)$"
    with pytest.raises(UserError, match=message):
        build_layer("ghost_batch", ghost_rows=ghost_rows)
