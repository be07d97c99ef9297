"""The automatic rule: trivial + 50, 80, 95 % of the gap to the reference's median best, on seeds of its own, once."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bnbench.config import Config
from bnbench.datasets import Task
from bnbench.records import load_records
from bnbench.seeding import TARGET_SEEDS
from bnbench.training import automatic_targets
from bnbench.training.automatic_targets import TARGET_RUNS, with_targets

BUDGET: dict[str, Any] = {"budget__max_steps": 30, "budget__eval_every_steps": 10, "schedule__name": "constant"}


@pytest.fixture
def asked(configure: Callable[..., Config], tmp_path: Path) -> Callable[..., Config]:
    def make(norm: str = "layer", **changes: Any) -> Config:
        return replace(configure(norm, **BUDGET, **changes), runs_dir=str(tmp_path / "runs"))

    return make


def test_the_ladder_stands_between_trivial_and_the_best_learning_rate(
    asked: Callable[..., Config], task_of: Callable[..., Task], tmp_path: Path
) -> None:
    task, why = with_targets(asked(optimizer__lr=[0.001, 0.1]), task_of())
    records = load_records(tmp_path / "runs").records
    assert {record.entry for record in records} == {"none"}
    assert {seed["seed"] for record in records for seed in record.seeds} == {
        TARGET_SEEDS + run for run in range(TARGET_RUNS)
    }
    medians = {
        record.config["optimizer"]["lr"]: statistics.median(seed["final"]["best_val_accuracy"] for seed in record.seeds)
        for record in records
    }
    assert medians[0.1] > medians[0.001]
    assert why is None
    assert task.targets is not None
    assert task.targets["hard"] == pytest.approx(task.trivial + 0.95 * (medians[0.1] - task.trivial), abs=1e-3)
    assert str(task.targets["provenance"]).startswith("auto: ")
    assert "at lr 0.1 of 2, chosen on these runs" in str(task.targets["provenance"])


def test_one_ladder_for_all_norms_measured_once(
    asked: Callable[..., Config], task_of: Callable[..., Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = with_targets(asked("layer"), task_of())
    monkeypatch.setattr(automatic_targets, "run_job", None)  # nothing is trained again
    second, _ = with_targets(asked("batch"), task_of())
    assert first.targets == second.targets
    assert len(list((tmp_path / "runs" / "targets").glob("*.json"))) == 1


@pytest.mark.parametrize("changes", [{"optimizer__lr": 0.2}, {"model__hidden": [8]}])
def test_another_workload_has_another_ladder(
    changes: dict[str, Any], asked: Callable[..., Config], task_of: Callable[..., Task], tmp_path: Path
) -> None:
    with_targets(asked(), task_of())
    with_targets(asked(**changes), task_of())
    assert len(list((tmp_path / "runs" / "targets").glob("*.json"))) == 2


def test_a_damaged_ladder_is_made_again_from_the_runs(
    asked: Callable[..., Config], task_of: Callable[..., Task], tmp_path: Path
) -> None:
    first, _ = with_targets(asked(), task_of())
    (path,) = (tmp_path / "runs" / "targets").glob("*.json")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    second, _ = with_targets(asked(), task_of())
    assert first.targets == second.targets
    assert path.read_bytes() == whole


def test_a_data_set_with_targets_keeps_them(
    asked: Callable[..., Config], task_of: Callable[..., Task], tmp_path: Path
) -> None:
    ladder = {"easy": 0.6, "medium": 0.7, "hard": 0.8, "provenance": "pool"}
    task, _ = with_targets(asked(), replace(task_of(), targets=ladder))
    assert task.targets == ladder
    assert not (tmp_path / "runs").exists()


def test_a_reference_that_learns_nothing_sets_no_target_and_says_so(
    asked: Callable[..., Config], task_of: Callable[..., Task]
) -> None:
    task, why = with_targets(asked(), replace(task_of(), trivial=1.0))
    assert task.targets is None
    assert why is not None
    assert "no better than the 1 of the trivial predictor" in why
