"""What is recorded is never trained again, and however the work is cut, every number is the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.config import Config
from bnbench.records import load_records, read_experiment, record_folder
from bnbench.training import job
from bnbench.training.job import CellReport, run_job


@pytest.fixture
def train(configure: Callable[..., Config]) -> Callable[..., list[CellReport]]:
    return lambda *overrides, **options: run_job(configure(*overrides), **options)


def files(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.*") if path.is_file()}


def test_same_job_trains_nothing_and_touches_no_file(train: Any, tmp_path: Path) -> None:
    train()
    before = files(tmp_path)
    assert len(before) == 2
    (again,) = train()
    assert (again.trained, again.reused) == ([], [0, 1])
    assert files(tmp_path) == before


def test_sixteen_seeds_after_eight_train_the_missing_eight(
    train: Any, tmp_path: Path, histories: Any, assert_same: Any
) -> None:
    (first,) = train("seeds=8")
    (second,) = train("seeds=16")
    assert (first.trained, second.trained, second.reused) == ([*range(8)], [*range(8, 16)], [*range(8)])
    train("seeds=16", f"runs_dir={tmp_path / 'at_once'}")
    assert_same(histories(tmp_path / "runs"), histories(tmp_path / "at_once"))


def test_seeds_between_recorded_ones_are_the_same_as_at_once(
    train: Any, tmp_path: Path, histories: Any, assert_same: Any
) -> None:
    train("seeds=[1,3]")
    (second,) = train("seeds=5")
    assert second.trained == [0, 2, 4]
    train("seeds=5", f"runs_dir={tmp_path / 'at_once'}")
    assert_same(histories(tmp_path / "runs"), histories(tmp_path / "at_once"))


@pytest.mark.parametrize("norm", ["none", "batch", "weight"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_learning_rates_together_equal_each_alone(
    norm: str, optimizer: str, train: Any, tmp_path: Path, histories: Any, assert_same: Any
) -> None:
    shared = (f"norm={norm}", f"optimizer={optimizer}", "seeds=3", "model.dropout=0.2", "schedule=cosine")
    together = train(*shared, "optimizer.lr=[0.01,0.3]")
    assert [len(cell.trained) for cell in together] == [3, 3]
    for rate in (0.01, 0.3):
        train(*shared, f"optimizer.lr={rate}", f"runs_dir={tmp_path / 'alone'}")
    assert_same(histories(tmp_path / "runs"), histories(tmp_path / "alone"))
    records = load_records(tmp_path / "runs").records
    assert sorted(record.config["optimizer"]["lr"] for record in records) == [0.01, 0.3]
    assert len({record.workload_id for record in records}) == 2


def test_a_rate_added_to_the_list_trains_only_its_own_cell(train: Any) -> None:
    train("optimizer.lr=0.1")
    old, new = train("optimizer.lr=[0.1,0.2]")
    assert (old.trained, old.reused, new.trained, new.reused) == ([], [0, 1], [0, 1], [])


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_chunks_of_any_size_hold_the_same_histories_in_a_record_each(
    limit: int, train: Any, tmp_path: Path, histories: Any, assert_same: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = ("norm=batch", "seeds=5", "model.dropout=0.2")
    train(*shared, f"runs_dir={tmp_path / 'at_once'}")
    monkeypatch.setattr(job, "replicas_that_fit", lambda *_: limit)
    (cell,) = train(*shared)
    assert cell.trained == [0, 1, 2, 3, 4]
    chunks = [range(start, min(start + limit, 5)) for start in range(0, 5, limit)]
    folders = sorted(path.name for path in Path(cell.folder).iterdir())
    assert folders == sorted(record_folder(Path(cell.folder), chunk).name for chunk in chunks)
    assert_same(histories(tmp_path / "runs"), histories(tmp_path / "at_once"))


def test_a_diverging_cell_is_a_result_and_leaves_the_others_alone(
    train: Any, tmp_path: Path, histories: Any, assert_same: Any
) -> None:
    shared = ("norm=none", "seeds=3")
    gone, fine = train(*shared, "optimizer.lr=[1e20,0.1]")
    assert (gone.diverged, gone.error) == ([0, 1, 2], None)
    assert (fine.diverged, fine.error) == ([], None)
    train(*shared, "optimizer.lr=0.1", f"runs_dir={tmp_path / 'alone'}")
    alone = histories(tmp_path / "alone")
    both = histories(tmp_path / "runs")
    assert_same({key: both[key] for key in alone}, alone)
    (record,) = [record for record in load_records(tmp_path / "runs").records if record.cell_id == gone.cell_id]
    for entry in record.seeds:
        step = entry["diverged_at_step"]
        assert entry["status"] == "diverged"
        assert 0 < step <= 6
        assert both[gone.cell_id, entry["seed"]]["step"].tolist() == [at for at in (0, 3, 6) if at < step]
    json.loads((record.path / "run.json").read_text(), parse_constant=pytest.fail)
    (again, _) = train(*shared, "optimizer.lr=[1e20,0.1]")
    assert (again.trained, again.reused) == ([], [0, 1, 2])


def test_experiments_index_their_cells_and_share_them(train: Any, tmp_path: Path) -> None:
    train("seeds=2", experiments=["first"])
    (cell,) = train("seeds=3", experiments=["second"])
    assert cell.trained == [2]
    expected = {"entry": "batch", "dataset": "digits", "tracks": ["recipe"]}
    assert read_experiment(tmp_path / "runs", "first") == {cell.cell_id: {**expected, "seeds": [0, 1]}}
    assert read_experiment(tmp_path / "runs", "second") == {cell.cell_id: {**expected, "seeds": [0, 1, 2]}}


@pytest.mark.parametrize("damage", ["run.json", "history.parquet"])
def test_a_record_that_lost_a_file_is_trained_again(damage: str, train: Any, histories: Any, assert_same: Any) -> None:
    (cell,) = train()
    before = histories(cell.folder)
    next(Path(cell.folder).glob(f"*/{damage}")).unlink()
    (again,) = train()
    assert again.trained == [0, 1]
    assert_same(histories(cell.folder), before)


def test_what_does_not_decide_a_result_is_not_part_of_the_cell(train: Any) -> None:
    train()
    (again,) = train("logger=csv", "trainer.threads=2")
    assert again.reused == [0, 1]
