"""One run has one id: options that decide nothing are left out of it, or refused where they are set."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bnbench.config import Config, OptimizerConfig, ScheduleConfig
from bnbench.datasets import Task
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.training.cells import entry_identity, plan_cells, refuse_unused, workload_identity


@pytest.fixture
def config(configure: Callable[..., Config]) -> Config:
    return replace(configure(), optimizer=OptimizerConfig(name="sgd", lr=0.1), schedule=ScheduleConfig(name="constant"))


@pytest.fixture
def task(task_of: Callable[..., Task]) -> Task:
    return task_of()


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"optimizer": OptimizerConfig(name="sgd", lr=0.1, momentum=0.5)}, "optimizer.momentum=0.5 has no effect with"),
        ({"optimizer": OptimizerConfig(name="adam", lr=0.1, nesterov=True)}, "belongs to optimizer=momentum"),
        ({"schedule": ScheduleConfig(name="cosine", gamma=0.5)}, "belongs to schedule=step or exponential"),
    ],
)
def test_an_option_without_effect_is_refused(config: Config, group: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        refuse_unused(replace(config, **group))


def test_options_that_decide_nothing_are_not_in_the_identity(config: Config, task: Task) -> None:
    plain = workload_identity(config, task)
    assert workload_identity(replace(config, model=replace(config.model, initialisation_std=3.0)), task) == plain
    assert workload_identity(replace(config, optimizer=replace(config.optimizer, momentum=0.1)), task) == plain
    assert workload_identity(replace(config, schedule=replace(config.schedule, every_steps=7)), task) == plain


def test_a_loss_or_metric_spelled_out_is_the_same_run_as_one_left_to_the_labels(config: Config, task: Task) -> None:
    left = replace(config, dataset=replace(config.dataset, metric=None, direction=None, loss=None))
    spelled = replace(config, dataset=replace(config.dataset, metric="accuracy", direction="max", loss="cross_entropy"))
    assert workload_identity(left, task) == workload_identity(spelled, task)
    assert "loss" not in workload_identity(spelled, task)["dataset"]
    assert workload_identity(spelled, task)["dataset"]["metric"] == "accuracy"


def test_another_loss_is_another_run(config: Config, task: Task) -> None:
    identity = workload_identity(config, replace(task, loss="binary"))
    assert identity["dataset"]["loss"] == "binary"
    assert identity != workload_identity(config, task)


def test_how_rows_are_read_and_split_is_told_by_the_checksum_alone(config: Config, task: Task) -> None:
    """Two ways to the same tensors are one run; other tensors are another, whatever the way."""
    ways = {
        "split": "stratified",
        "target_column": "price",
        "storage": "mapped",
        "path": "homes.csv",
        "options": {"a": 1},
    }
    assert workload_identity(replace(config, dataset=replace(config.dataset, **ways)), task) == workload_identity(
        config, task
    )
    assert workload_identity(config, replace(task, checksum="another")) != workload_identity(config, task)


def test_options_that_decide_are(config: Config, task: Task) -> None:
    plain = workload_identity(config, task)
    gaussian = replace(config, model=replace(config.model, initialisation="gaussian", initialisation_std=0.1))
    wider = replace(gaussian, model=replace(gaussian.model, initialisation_std=0.2))
    heavy = replace(config, optimizer=OptimizerConfig(name="momentum", lr=config.optimizer.lr, momentum=0.5))
    identities = [plain, *(workload_identity(each, task) for each in (gaussian, wider, heavy))]
    assert all(one != other for place, one in enumerate(identities) for other in identities[:place])


def test_the_kind_of_a_class_path_is_part_of_the_entry() -> None:
    path = {"name": "custom", "class_path": "torch.nn:LayerNorm"}
    identities = [entry_identity(choose_norm(path | {"kind": kind})) for kind in ("activation", "weight")]
    assert identities[0] != identities[1]
    assert "kind" not in entry_identity(choose_norm({"name": "batch"}))


def test_one_cell_per_learning_rate(config: Config, task: Task) -> None:
    several = replace(config, optimizer=replace(config.optimizer, lr=[0.1, 0.2]))
    cells = plan_cells(several, task, choose_norm({"name": "none"}))
    assert [cell.learning_rate for cell in cells] == [0.1, 0.2]
    assert len({cell.cell_id for cell in cells}) == 2
    assert len({cell.workload_id for cell in cells}) == 2
