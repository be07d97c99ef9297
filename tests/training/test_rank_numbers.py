"""Over how many processes a run is spread is no part of what it is, unless each takes its own statistics."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bnbench.config import Config, TrainerConfig
from bnbench.datasets import Task
from bnbench.norms import choose_norm
from bnbench.scoring.workload_names import workload_names
from bnbench.training.cells import Cell, plan_cells
from bnbench.training.group import Group, share_out
from bnbench.training.memory import replicas_that_fit

ONE = TrainerConfig(name="cpu")
TWO = TrainerConfig(name="ddp_cpu", devices=2)
LOCAL = replace(TWO, sync_batch_statistics=False)


@pytest.fixture
def cell_of(configure: Callable[..., Config], task_of: Callable[..., Task]) -> Callable[..., Cell]:
    def plan(norm: dict[str, Any], trainer: TrainerConfig) -> Cell:
        config = replace(configure(norm), trainer=trainer)
        (cell,) = plan_cells(config, task_of(), choose_norm(config.norm))
        return cell

    return plan


@pytest.mark.parametrize(
    "trainer",
    [
        TWO,
        replace(TWO, num_nodes=3, timeout_seconds=1.0),
        replace(ONE, sync_batch_statistics=False),
        TrainerConfig(name="ddp", accelerator="gpu", devices=8),
    ],
)
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_where_it_runs_is_no_part_of_a_cell(cell_of: Callable[..., Cell], norm: str, trainer: TrainerConfig) -> None:
    one, other = cell_of({"name": norm}, ONE), cell_of({"name": norm}, trainer)
    assert (one.cell_id, one.workload_id, one.entry) == (other.cell_id, other.workload_id, other.entry)


def test_local_statistics_are_an_entry_of_their_own_in_a_workload_of_so_many_processes(
    cell_of: Callable[..., Cell],
) -> None:
    norm = {"name": "batch", "eps": 0.001}
    one, local, four = (cell_of(norm, trainer) for trainer in (ONE, LOCAL, replace(LOCAL, num_nodes=2)))
    assert [cell.entry for cell in (one, local, four)] == ["batch(eps=0.001)"] + ["batch(eps=0.001, sync=false)"] * 2
    assert len({cell.cell_id for cell in (one, local, four)}) == 3
    assert len({cell.workload_id for cell in (one, local, four)}) == 3
    assert cell_of({"name": "none"}, LOCAL).workload_id == local.workload_id, "the reference is on its board"
    assert cell_of({"name": "none"}, LOCAL).entry == "none"
    path = {"name": "custom", "class_path": "torch.nn:BatchNorm1d"}
    assert cell_of(path, LOCAL).entry == "torch.nn:BatchNorm1d(sync=false)", "of which nothing is known"


def test_workloads_of_local_statistics_are_named_by_the_number_of_processes() -> None:
    configs = [
        {"trainer": {"devices": devices, "num_nodes": 1, "sync_batch_statistics": sync}}
        for devices, sync in ((1, True), (2, False), (4, False))
    ]
    named = workload_names([(str(place), "digits", config) for place, config in enumerate(configs)])
    assert list(named.values()) == ["digits", "digits · world_size=2", "digits · world_size=4"]


@pytest.mark.parametrize(("rows", "ranks"), [(60, 2), (17, 2), (17, 3), (5, 5), (8, 3)])
def test_ranks_share_all_rows_as_evenly_as_can_be(rows: int, ranks: int) -> None:
    parts = [Group(rank, ranks).own_rows(rows) for rank in range(ranks)]
    assert [row for part in parts for row in range(rows)[part]] == list(range(rows))
    sizes = share_out(rows, ranks)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


def test_processes_of_one_machine_share_its_memory(
    configure: Callable[..., Config], task_of: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnbench.training.memory.free_bytes", lambda accelerator: 2**34)
    config = configure("batch")
    network = choose_norm({"name": "batch"}).maker(0)(100)
    one, four = (
        replicas_that_fit(replace(config, trainer=replace(ONE, devices=devices)), task_of(), network)
        for devices in (1, 4)
    )
    assert one // 4 == pytest.approx(four, abs=1)
