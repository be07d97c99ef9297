"""The statistics of A1, A2, A19, B1 and B3, worked by hand or drawn again."""

from dataclasses import replace
from math import log2, sqrt

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import nn

from bnbench.claims.catalogue import A1_ioffe_mnist as a1
from bnbench.claims.catalogue import A2_ln_mnist_bs as a2
from bnbench.claims.catalogue import A19_dropout_bn as a19
from bnbench.claims.catalogue import B1_lr_tolerance as b1
from bnbench.claims.catalogue import B3_batch_size_sweep as b3
from bnbench.claims.trained import Trained


def run_at(
    rate: float, *, final: tuple[float, ...], name: str = "batch", loss: NDArray[np.float64] | None = None
) -> Trained:
    """Return runs of as many seeds as there are last accuracies, evaluated at steps 0, 10 and 20."""
    metric = np.array([[0.1, 0.1, value] for value in final])
    return Trained(
        name=name,
        rate=rate,
        seeds=np.arange(len(final)),
        steps=np.array([0, 10, 20]),
        metric=metric,
        train_loss=np.zeros_like(metric) if loss is None else loss,
        tested=metric[:, -1],
        largest_loss=np.full(len(final), 2.5),
        diverged=np.zeros(len(final), dtype=bool),
        trivial=0.1,
    )


def test_drift_is_the_mean_distance_from_the_last_percentiles_in_their_spread() -> None:
    # two evaluations and two seeds; spreads at the end 4 and 2
    percentiles = np.array([[[0.0, -2.0], [1.0, 1.0]], [[2.0, 0.0], [2.0, 2.0]], [[4.0, 2.0], [3.0, 3.0]]])
    assert a1.drift_of(percentiles).tolist() == [(2 + 2 + 2) / 3 / 4 / 2, 0.0]


def test_steps_are_compared_at_the_loss_that_both_reach() -> None:
    batch = run_at(0.1, final=(0.5, 0.5), loss=np.array([[np.nan, 0.9, 0.4], [np.nan, 0.3, 0.2]]))
    layer = run_at(0.1, final=(0.5, 0.5), loss=np.array([[np.nan, 0.4, 0.1], [np.nan, 0.5, 0.3]]), name="layer")
    of_batch, of_layer = a2.steps_to_same_loss(batch, layer)
    assert of_batch.steps.tolist() == [20, 10]
    assert of_layer.steps.tolist() == [10, 20]
    assert of_batch.reached.all()
    assert of_layer.reached.all()


@pytest.mark.parametrize(("size", "samples"), [(4, 30_720), (128, 30_720)])
def test_every_batch_size_is_given_as_many_samples(size: int, samples: int) -> None:
    for recipe in (a2.recipe(samples, size), b3.recipe(samples, size)):
        numbers = dict(each.split("=") for each in recipe[:3])
        assert int(numbers["budget.batch_size"]) * int(numbers["budget.max_steps"]) == samples
        assert int(numbers["budget.max_steps"]) % int(numbers["budget.eval_every_steps"]) == 0


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_the_variance_after_dropout_is_that_of_the_formula(kept: float) -> None:
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(400_000, dtype=torch.float64, generator=draw).exp() + 1
    mask = torch.rand(400_000, dtype=torch.float64, generator=draw) < kept
    expected = a19.variance_in_training(values.mean(), values.var(), kept=kept)
    assert (values * mask / kept).var().item() == pytest.approx(expected.item(), rel=0.02)


def test_dropout_stands_where_it_is_asked_for() -> None:
    def kinds(place: str) -> str:
        made = a19.network(8, 3, nn.BatchNorm1d, hidden=(4, 4), dropout=0.5, place=place)
        return " ".join(type(layer).__name__ for layer in made.children())

    block, dropping = "Linear ReLU BatchNorm1d", "Linear ReLU Dropout BatchNorm1d"
    assert kinds(a19.NOWHERE) == f"{block} {block} Linear"
    assert kinds(a19.BEFORE_NORM) == f"{dropping} {dropping} Linear"
    assert kinds(a19.AT_END) == f"{block} {block} Dropout Linear"


def test_variances_are_those_of_the_inputs_of_each_norm_without_dropout() -> None:
    torch.manual_seed(0)
    made = a19.network(5, 3, nn.BatchNorm1d, hidden=(4, 4), dropout=0.5, place=a19.BEFORE_NORM)
    assert isinstance(made, nn.Sequential)
    inputs = torch.randn(200, 5)
    a19.collect_statistics(made, inputs, torch.Generator().manual_seed(1))
    first, second = a19.variances_of(made, inputs)
    hidden = made[0](inputs).relu().detach()
    torch.testing.assert_close(first.evaluated, hidden.var(0, correction=0))
    through = made[5](made[4](made[3](hidden))).detach()
    torch.testing.assert_close(second.evaluated, through.var(0, correction=0))
    assert a19.pooled_ratios([first])[0] == pytest.approx(1.0, abs=0.05)


RATES = np.array([1.0, 2.0, 4.0, 8.0])


def test_a_rate_is_usable_where_it_comes_near_the_best_of_its_seed() -> None:
    finals = [(0.9, 0.30), (0.95, 0.10), (0.85, 0.26), (0.1, 0.15)]  # per rate, two seeds
    runs = [run_at(rate, final=final) for rate, final in zip(RATES, finals, strict=True)]
    # seed 0: 0.1 + 0.9 · 0.85 = 0.865 is asked for; seed 1: 0.1 + 0.9 · 0.2 = 0.28
    assert b1.converges(runs).tolist() == [[True, True, False, False], [True, False, False, False]]
    assert b1.largest_rate(RATES, b1.converges(runs)).tolist() == [2.0, 1.0]


def test_where_nothing_is_learnt_no_rate_is_usable() -> None:
    runs = [run_at(rate, final=(0.18,)) for rate in RATES]  # 0.19 is a tenth of the way
    assert not b1.converges(runs).any()
    assert np.isnan(b1.largest_rate(RATES, b1.converges(runs))).all()


def test_a_rate_at_which_the_loss_stays_small_is_finite_learnt_or_not() -> None:
    runs = [run_at(1.0, final=(0.1,)), replace(run_at(2.0, final=(0.9,)), largest_loss=np.array([2000.0]))]
    assert b1.stays_finite(runs).tolist() == [[True, False]]


def test_the_ratio_of_rates_is_as_uncertain_as_the_grid_is_coarse() -> None:
    same = b1.ratio(np.array([1.0, 1.0, 1.0]), np.array([4.0, 4.0, 4.0]), RATES)
    half = stats.t.ppf(0.975, 2) * sqrt(2 / 12) / sqrt(3)
    assert same.estimate == pytest.approx(4.0)
    assert same.low is not None
    assert same.high is not None
    assert (log2(same.low), log2(same.high)) == pytest.approx((2 - half, 2 + half))


def test_the_ratio_of_rates_is_open_where_the_grid_ends() -> None:
    top = np.array([4.0, 8.0])
    assert b1.ratio(np.array([1.0, 1.0]), top, RATES).high is None
    assert b1.ratio(top, np.array([2.0, 2.0]), RATES).low is None
    unknown = b1.ratio(np.array([np.nan, 1.0]), top, RATES)
    assert (unknown.estimate, unknown.low, unknown.high) == (None, None, None)


def test_errors_are_those_of_the_rate_that_is_best_at_the_reference_scaled() -> None:
    runs = {
        2: [run_at(rate / 16, final=(good,)) for rate, good in ((1.0, 0.7), (2.0, 0.4))],
        32: [run_at(rate, final=(good,)) for rate, good in ((1.0, 0.8), (2.0, 0.9))],
    }
    errors = b3.errors_by_size(runs, "batch")
    assert errors == pytest.approx(np.array([[60.0, 10.0]]))
    assert b3.lost_at_smallest((2, 32), errors) == pytest.approx([50.0])


def test_beyond_three_times_group_norm_s_loss_and_a_gain_counts_as_none() -> None:
    assert b3.excess(np.array([7.0, 1.0]), np.array([2.0, -4.0])).tolist() == [1.0, 1.0]
