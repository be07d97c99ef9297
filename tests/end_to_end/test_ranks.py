"""A batch spread over processes trains as it does in one, whatever the norm; real processes, over Gloo."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bnbench.config import Config, TrainerConfig, learning_rates
from bnbench.datasets import load
from bnbench.errors import UserError
from bnbench.norms import NORMS, choose_norm
from bnbench.training.fit import Member, fit
from bnbench.training.history import Trajectory
from bnbench.training.ranks import Ranks

pytestmark = pytest.mark.slow

COUPLED = [name for name in NORMS.names() if NORMS.get(name).batch_coupled]
# 17 rows: no two or three processes have equally many
CURVE = (
    "logger=none",
    "model.hidden=[16,12]",
    "model.dropout=0.1",
    "budget.max_steps=100",
    "budget.eval_every_steps=20",
    "budget.batch_size=17",
)
CLOSE = {"32": 1e-5, "64": 1e-10}
# other ways through the statistics, and what is done to gradients once they are summed
SETTINGS = {
    "evaluates with the batch": ("norm=batch", "norm.running_statistics=false"),
    "plain averages": ("norm=batch", "norm.momentum=null"),
    "largest deviation": ("norm=l1_batch", "norm.p=null"),
    "parts across processes": ("norm=ghost_batch", "norm.ghost_rows=4"),
    "clipped": ("norm=batch", "optimizer.clip_gradient_norm=0.1", "optimizer=momentum"),
    "adam": ("norm=batch", "optimizer=adam", "optimizer.lr=[0.01,0.001]", "schedule=cosine"),
    "alpha dropout": ("norm=layer", "model=self_normalizing", "model.dropout=0.1", "model.alpha_dropout=true"),
    "a regression": ("norm=batch", "dataset=diabetes"),
}


@pytest.fixture(scope="module")
def ranks_of() -> Iterator[Callable[[int], Ranks]]:
    """Processes that stay for all of these tests: ranks_of(how many)."""
    started: dict[int, Ranks] = {}

    def start(count: int) -> Ranks:
        if count not in started:
            started[count] = Ranks(TrainerConfig(name="ddp_cpu", devices=count, timeout_seconds=120))
        return started[count]

    yield start
    for ranks in started.values():
        ranks.end()


def trained(train: Callable[..., Trajectory], config: Config, *, stacked: bool = True) -> Trajectory:
    members = [Member(seed, rate) for rate in learning_rates(config) for seed in (0, 5)]
    return train(config, load(config.dataset), choose_norm(config.norm), members, stacked=stacked)


def difference(one: Trajectory, other: Trajectory) -> float:
    """The largest between any two numbers of two curves, at whose ends the same replicas are alive."""
    assert [row.step for row in one.observations] == [row.step for row in other.observations]
    largest = [np.abs(one.test_metric - other.test_metric).max()]
    for mine, theirs in zip(one.observations, other.observations, strict=True):
        np.testing.assert_array_equal(mine.members, theirs.members)
        np.testing.assert_array_equal(mine.learning_rate, theirs.learning_rate)
        for name in ("train_loss", "val_loss", "val_metric"):
            if mine.step > 0 or name != "train_loss":
                largest.append(np.abs(getattr(mine, name) - getattr(theirs, name)).max())
    return float(np.max(largest))


@pytest.mark.parametrize("precision", CLOSE)
@pytest.mark.parametrize("norm", [*COUPLED, "layer"])
def test_two_processes_with_uneven_parts_train_the_curve_of_one(
    ranks_of: Callable[[int], Ranks], compose: Callable[..., Config], norm: str, precision: str
) -> None:
    config = compose(*CURVE, f"norm={norm}", "trainer=ddp_cpu", f"trainer.precision={precision}")
    assert difference(trained(ranks_of(2).fit, config), trained(fit, config)) <= CLOSE[precision]


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_so_they_do_with_every_way_through_the_statistics_and_to_the_update(
    ranks_of: Callable[[int], Ranks], compose: Callable[..., Config], setting: tuple[str, ...]
) -> None:
    config = compose(*CURVE, *setting, "trainer=ddp_cpu", "trainer.precision=64", "budget.max_steps=40")
    assert difference(trained(ranks_of(2).fit, config), trained(fit, config)) <= CLOSE["64"]


def test_so_they_do_with_one_replica_after_another(
    ranks_of: Callable[[int], Ranks], compose: Callable[..., Config]
) -> None:
    config = compose(*CURVE, "norm=batch", "trainer=ddp_cpu", "trainer.precision=64", "budget.max_steps=40")
    spread = trained(ranks_of(2).fit, config, stacked=False)
    assert difference(spread, trained(fit, config, stacked=False)) <= CLOSE["64"]


@pytest.mark.parametrize("norm", ["batch", "ghost_batch", "noisy_batch"])
def test_so_do_three(ranks_of: Callable[[int], Ranks], compose: Callable[..., Config], norm: str) -> None:
    config = compose(*CURVE, f"norm={norm}", "trainer=ddp_cpu", "trainer.devices=3", "trainer.precision=64")
    assert difference(trained(ranks_of(3).fit, config), trained(fit, config)) <= CLOSE["64"]


def test_a_replica_that_diverges_leaves_on_every_rank_and_the_others_go_on(
    ranks_of: Callable[[int], Ranks], compose: Callable[..., Config]
) -> None:
    config = compose(*CURVE, "norm=batch", "optimizer.lr=[0.1,1e200]", "trainer=ddp_cpu", "trainer.precision=64")
    spread, alone = trained(ranks_of(2).fit, config), trained(fit, config)
    assert spread.diverged_at_step.tolist() == alone.diverged_at_step.tolist()
    assert (alone.diverged_at_step > 0).tolist() == [False, False, True, True]
    assert difference(spread, alone) <= CLOSE["64"]
    np.testing.assert_array_equal(spread.spikes, alone.spikes)


def test_all_diverging_ends_on_every_rank(ranks_of: Callable[[int], Ranks], compose: Callable[..., Config]) -> None:
    config = compose(*CURVE, "norm=none", "optimizer.lr=1e30", "trainer=ddp_cpu")
    spread, alone = trained(ranks_of(2).fit, config), trained(fit, config)
    assert spread.diverged_at_step.tolist() == alone.diverged_at_step.tolist()
    assert spread.steps == alone.steps == 20


def test_local_statistics_are_those_of_each_process_by_itself(
    ranks_of: Callable[[int], Ranks], compose: Callable[..., Config]
) -> None:
    """As ghost batches of half a batch in training; in evaluation they have the running statistics of the first."""
    curve = (*CURVE, "budget.batch_size=16", "model.dropout=0.1", "trainer=ddp_cpu", "trainer.precision=64")
    local = trained(ranks_of(2).fit, compose(*curve, "norm=batch", "trainer.sync_batch_statistics=false"))
    ghosts = trained(fit, compose(*curve, "norm=ghost_batch", "norm.ghost_rows=8"))
    batch = trained(fit, compose(*curve, "norm=batch"))
    of_local, of_ghosts, of_batch = (
        np.array([row.train_loss for row in run.observations[1:]]) for run in (local, ghosts, batch)
    )
    np.testing.assert_allclose(of_local, of_ghosts, rtol=0, atol=1e-10)
    assert np.abs(of_local - of_batch).max() > 0.01
    assert np.abs(local.observations[-1].val_loss - ghosts.observations[-1].val_loss).min() > 1e-4


def test_half_precision_products_leave_the_curve_near_that_of_one_process(
    ranks_of: Callable[[int], Ranks], compose: Callable[..., Config]
) -> None:
    config = compose(*CURVE, "norm=batch", "trainer=ddp_cpu", "trainer.precision=bf16", "budget.max_steps=20")
    spread, alone = trained(ranks_of(2).fit, config), trained(fit, config)
    assert difference(spread, alone) <= 0.05  # 8 bits: a relative 0.4 % in every product
    assert difference(alone, trained(fit, compose(*CURVE, "norm=batch", "budget.max_steps=20"))) > 1e-5


def test_a_strangers_own_statistics_are_found_out_before_training(compose: Callable[..., Config]) -> None:
    stranger = ("norm=custom", "norm.class_path=torch.nn:BatchNorm1d")
    ranks = Ranks(TrainerConfig(name="ddp_cpu", devices=2, timeout_seconds=120))
    try:
        with pytest.raises(UserError, match="gives other outputs when a batch is spread over 2 processes"):
            trained(ranks.fit, compose(*CURVE, *stranger, "trainer=ddp_cpu"))
    finally:
        ranks.end()
