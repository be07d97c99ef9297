"""What is made of the minibatch losses, against plain loops."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from bnbench.training.watch import LossWatch, count_spikes

Floats = npt.NDArray[np.float64]


def spikes_by_loop(losses: Floats, *, new: int) -> int:
    count = 0
    for position in range(max(100, len(losses) - new), len(losses)):
        past = sorted(losses[position - 100 : position])
        median = (past[49] + past[50]) / 2
        away = sorted(abs(loss - median) for loss in past)
        count += losses[position] > median + 6 * 1.4826 * (away[49] + away[50]) / 2
    return count


@pytest.mark.parametrize("new", [1, 37, 150, 400])
@pytest.mark.parametrize("length", [1, 100, 101, 400])
def test_spikes_are_those_of_a_plain_loop(length: int, new: int) -> None:
    losses = np.random.default_rng(length).standard_t(2, size=length)
    expected = spikes_by_loop(losses, new=min(new, length))
    assert count_spikes(losses, new=min(new, length)) == expected
    assert length < 400 or new < 150 or expected > 0  # the example holds spikes to find


@pytest.mark.parametrize("cuts", [[400], [150, 250], [1, 99, 1, 299], [100] * 4])
def test_windows_do_not_change_what_is_counted(cuts: list[int]) -> None:
    losses = np.random.default_rng(0).standard_t(2, size=(400, 3))
    watch = LossWatch(3)
    start = 0
    for length in cuts:
        for step in range(start, start + length):
            watch.add(torch.from_numpy(losses[step]))
        window = watch.close_window()
        np.testing.assert_allclose(window.mean_loss, losses[start : start + length].mean(0), rtol=1e-12)
        assert not window.first_bad_step.any()
        start += length
    assert watch.spikes.tolist() == [spikes_by_loop(losses[:, replica], new=400) for replica in range(3)]
    np.testing.assert_array_equal(watch.max_loss, losses.max(0))


def test_mean_of_one_replica_is_that_of_several_bit_for_bit() -> None:
    losses = torch.rand(77, 5, generator=torch.Generator().manual_seed(0))
    means = []
    for columns in (slice(0, 5), slice(3, 4)):
        watch = LossWatch(losses[0, columns].numel())
        for step in losses[:, columns]:
            watch.add(step)
        means.append(watch.close_window().mean_loss)
    assert means[0][3] == means[1][0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_first_step_that_is_not_finite_is_found_and_the_others_are_not_touched(bad: float) -> None:
    watch = LossWatch(3)
    for step in range(1, 13):
        watch.add(torch.tensor([1.0, bad if step in (8, 10) else 2.0, 3.0 + step]))
        if step == 5:
            assert not watch.close_window().first_bad_step.any()
    window = watch.close_window()
    assert window.first_bad_step.tolist() == [0, 8, 0]
    assert window.mean_loss[0] == 1.0
    assert watch.max_loss.tolist() == [1.0, 2.0, 15.0]


def test_after_replicas_left_the_counts_still_belong_to_the_right_ones() -> None:
    losses = np.random.default_rng(1).standard_t(2, size=(300, 3))
    watch = LossWatch(3)
    for step in losses[:150]:
        watch.add(torch.from_numpy(step))
    watch.close_window()
    watch.keep(np.array([0, 2]))
    for step in losses[150:, [0, 2]]:
        watch.add(torch.from_numpy(step))
    watch.close_window()
    assert watch.spikes[0] == spikes_by_loop(losses[:, 0], new=300)
    assert watch.spikes[1] == spikes_by_loop(losses[:150, 1], new=150)
    assert watch.spikes[2] == spikes_by_loop(losses[:, 2], new=300)


def test_window_without_steps_has_no_mean() -> None:
    window = LossWatch(2).close_window()
    assert np.isnan(window.mean_loss).all()
    assert not window.first_bad_step.any()
