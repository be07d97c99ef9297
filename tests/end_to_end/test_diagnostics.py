"""What is looked at is recorded beside the history; what lacks it trains again, as another copy, with equal numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from bnbench.config import Config
from bnbench.datasets import load
from bnbench.dry_run import plan_job, report_lines
from bnbench.norms import choose_norm
from bnbench.records import diagnostics_file, load_records
from bnbench.records.check import read_record
from bnbench.reports.sweep import print_job
from bnbench.training import job
from bnbench.training.diagnostics import DIAGNOSTICS, Measurement, Moment
from bnbench.training.diagnostics.diagnostic import Diagnostic
from bnbench.training.job import CellReport, run_job

TWO = "diagnostics=[activations,units]"
FILES = ["SHA256SUMS", "diagnostics.parquet", "history.parquet", "run.json"]


@pytest.fixture
def train(configure: Callable[..., Config]) -> Callable[..., list[CellReport]]:
    return lambda *overrides, **options: run_job(configure(*overrides), **options)


def rows_of(runs: Path) -> dict[tuple[str, int, int, str, str], float | None]:
    """Every value by cell, seed, step, layer and name, from the records that count."""
    found: dict[tuple[str, int, int, str, str], float | None] = {}
    for record in load_records(runs).records:
        table = record.read_diagnostics()
        assert isinstance(table, pa.Table), table
        kept = {entry["seed"] for entry in record.seeds}
        for row in table.to_pylist():
            if row["seed"] in kept:
                key = (record.cell_id, row["seed"], row["step"], row["layer"], row["name"])
                assert key not in found
                found[key] = row["value"]
    return found


def test_a_record_holds_what_was_measured_and_says_so(train: Any, tmp_path: Path) -> None:
    train("norm=batch", TWO, "model.activation=relu")
    (record,) = load_records(tmp_path / "runs").records
    assert sorted(path.name for path in record.path.iterdir()) == FILES
    assert record.diagnostics is not None
    assert record.diagnostics["names"] == ["activations", "units"]
    assert record.diagnostics["left_out"] == {}
    assert record.diagnostics["seconds"] > 0
    assert (record.path / "SHA256SUMS").read_text().count("diagnostics.parquet") == 1
    table = record.read_diagnostics()
    assert isinstance(table, pa.Table)
    assert table.column_names == ["seed", "step", "layer", "name", "value"]
    order = [(row["seed"], row["step"]) for row in table.to_pylist()]
    assert order == sorted(order)
    assert set(order) == {(seed, step) for seed in (0, 1) for step in (0, 3, 6)}
    assert set(table["layer"].to_pylist()) == {"hidden.0", "hidden.1"}
    names = {"activation_mean", "activation_deviation", "activation_drift", "dead_units", "dormant_units"}
    assert set(table["name"].to_pylist()) == names | {f"activation_p{share}" for share in (15, 50, 85)}
    assert record.history().keys() >= {"seed", "step", "val_loss"}


def test_without_any_a_record_is_what_it_always_was(train: Any, tmp_path: Path) -> None:
    train()
    (record,) = load_records(tmp_path / "runs").records
    assert sorted(path.name for path in record.path.iterdir()) == [FILES[0], *FILES[2:]]
    assert "diagnostics" not in record.raw
    assert record.diagnostics is None
    table = record.read_diagnostics()
    assert isinstance(table, pa.Table)
    assert table.num_rows == 0


def test_they_decide_neither_cell_nor_number(train: Any, tmp_path: Path, histories: Any, assert_same: Any) -> None:
    shared = ("norm=batch", "model.dropout=0.3")
    (plain,) = train(*shared, f"runs_dir={tmp_path / 'plain'}")
    (measured,) = train(*shared, "diagnostics=all")
    assert plain.cell_id == measured.cell_id
    assert_same(histories(tmp_path / "plain"), histories(tmp_path / "runs"))


def test_finished_seeds_that_lack_them_train_again_as_a_copy(
    train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train("seeds=2")
    (again,) = train("seeds=3", TWO)
    assert (again.trained, again.reused, again.diagnosed_again) == ([0, 1, 2], [], [0, 1])
    note = {"refusal": None, "cells": [vars(again)]}
    print_job(note)
    assert "2 seeds of them finished before, again for their diagnostics: another copy" in capsys.readouterr().out
    runs = load_records(tmp_path / "runs")
    assert len(runs.copies) == 1
    assert (runs.skipped, runs.conflicts) == ([], [])
    (record,) = runs.records  # of each seed the copy that was looked into
    assert [entry["seed"] for entry in record.seeds] == [0, 1, 2]
    (same,) = train("seeds=3", TWO)
    assert (same.trained, same.reused) == ([], [0, 1, 2])
    (fewer,) = train("seeds=3", "diagnostics=[units]")
    assert fewer.trained == []
    (none,) = train("seeds=3")
    assert none.trained == []


def test_a_newer_copy_has_all_that_the_older_one_has(train: Any, tmp_path: Path) -> None:
    train("diagnostics=[units]")
    before = rows_of(tmp_path / "runs")
    (again,) = train("diagnostics=[activations]")
    assert again.trained == [0, 1]
    after = rows_of(tmp_path / "runs")
    assert before.items() < after.items()
    assert {name for *_, name in after} > {"dormant_units", "activation_mean"}
    (record,) = load_records(tmp_path / "runs").records
    assert record.diagnostics is not None
    assert record.diagnostics["names"] == ["activations", "units"]


def test_what_copies_hold_by_halves_trains_again_as_one(train: Any, tmp_path: Path) -> None:
    """Two folders of runs put together: one copy alone would be shown."""
    (units,) = train("diagnostics=[units]")
    (tmp_path / "runs").rename(tmp_path / "theirs")
    (activations,) = train("diagnostics=[activations]")
    for folder in (tmp_path / "theirs" / Path(units.folder).name).glob("seeds-*"):
        folder.rename(Path(activations.folder) / folder.name)
    assert train("diagnostics=[units]")[0].trained == []
    (both,) = train(TWO)
    assert (both.trained, both.diagnosed_again) == ([0, 1], [0, 1])
    (record,) = load_records(tmp_path / "runs").records
    assert record.asked_diagnostics == {"activations", "units"}
    assert train(TWO)[0].trained == []


@pytest.mark.parametrize("limit", [1, 2])
def test_every_chunk_has_its_own_and_every_seed_the_same(
    limit: int, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = ("norm=batch", "seeds=3", "optimizer.lr=[0.1,0.3]", "diagnostics=[activations,units,updates]")
    train(*shared, f"runs_dir={tmp_path / 'at_once'}")
    monkeypatch.setattr(job, "replicas_that_fit", lambda *_: 2 * limit)
    train(*shared)
    assert len(list((tmp_path / "runs").glob("*/seeds-*/diagnostics.parquet"))) == 2 * (3 if limit == 1 else 2)
    one, other = rows_of(tmp_path / "at_once"), rows_of(tmp_path / "runs")
    assert one.keys() == other.keys()
    np.testing.assert_allclose([*map(float, one.values())], [float(other[key]) for key in one], rtol=1e-4, atol=1e-6)


def test_out_of_memory_while_looking_halves_the_batch(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def large(moment: Moment) -> list[Measurement]:
        if len(moment.seeds) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return [Measurement("seed", "", torch.tensor(moment.seeds))]

    monkeypatch.setitem(DIAGNOSTICS._entries, "large", Diagnostic("large", large, lambda _: None))
    (cell,) = train("seeds=5", "diagnostics=[large]")
    assert (cell.trained, cell.error, cell.halved_to) == ([0, 1, 2, 3, 4], None, 2)
    assert {(seed, value) for (_, seed, *_), value in rows_of(tmp_path / "runs").items()} == {
        (seed, seed) for seed in range(5)
    }


def test_a_replica_that_leaves_has_rows_until_then_and_what_is_no_number_is_null(train: Any, tmp_path: Path) -> None:
    gone, _ = train("norm=none", "optimizer.lr=[1e20,0.1]", "diagnostics=[activations]")
    assert gone.diverged == [0, 1]
    rows = rows_of(tmp_path / "runs")
    assert {step for cell, _, step, *_ in rows if cell == gone.cell_id} <= {0, 3}
    assert {step for cell, _, step, *_ in rows if cell != gone.cell_id} == {0, 3, 6}
    assert not [value for value in rows.values() if value is not None and not np.isfinite(value)]


def test_what_is_left_out_is_in_the_record_and_said(
    train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cell,) = train("model.hidden=[]", TWO)
    reason = "it looks at hidden layers of the MLP, and this model has none that it knows"
    (record,) = load_records(tmp_path / "runs").records
    assert record.diagnostics is not None
    assert record.diagnostics["left_out"] == {"activations": reason, "units": reason}
    print_job({"refusal": None, "cells": [vars(cell)]})
    assert f"diagnostics left out: activations ({reason}), units ({reason})" in capsys.readouterr().out
    (again,) = train("model.hidden=[]", TWO)
    assert again.trained == []


def test_a_failure_is_recorded_where_its_success_would_be(train: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("boom")

    with monkeypatch.context() as patch:
        patch.setattr("bnbench.training.ranks.fit", broken)
        (cell,) = train(TWO)
    assert cell.error == "ValueError: boom"
    (failed,) = load_records(tmp_path / "runs").failed
    assert failed.diagnostics is not None
    assert failed.diagnostics["left_out"] == {"activations": "training failed", "units": "training failed"}
    (cell,) = train(TWO)
    assert cell.trained == [0, 1]
    (record,) = load_records(tmp_path / "runs").records
    assert record.path == failed.path
    assert rows_of(tmp_path / "runs")


@pytest.mark.parametrize("harm", ["missing", "changed", "truncated"])
def test_a_harmed_file_costs_the_diagnostics_and_not_the_record(harm: str, train: Any, tmp_path: Path) -> None:
    train(TWO)
    (record,) = load_records(tmp_path / "runs").records
    path = record.path / "diagnostics.parquet"
    if harm == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-9] if harm == "truncated" else content[:200] + b"?" + content[201:])
    (still,) = load_records(tmp_path / "runs").records
    assert len(still.history()["seed"]) == 6
    said = still.read_diagnostics()
    assert isinstance(said, str)
    assert ("is missing" if harm == "missing" else "conflicts with SHA256SUMS") in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": ["units"], "left_out": {}}, "diagnostics.seconds is missing"),
        ({"names": "units", "left_out": {}, "seconds": 1}, "diagnostics.names is 'units'; expected array"),
        ({"names": ["a\x1b[31m"], "left_out": {}, "seconds": 1}, "does not match"),
        ({"names": [], "left_out": {"units": "a\x1b[31m"}, "seconds": 1}, "does not match"),
        ({"names": [], "left_out": {"\x1b": "why"}, "seconds": 1}, "does not match"),
        ({"names": [], "left_out": {"units": 3}, "seconds": 1}, "expected string"),
    ],
)
def test_a_strangers_words_are_checked(change: dict[str, Any], said: str, train: Any, tmp_path: Path) -> None:
    train(TWO)
    (record,) = load_records(tmp_path / "runs").records
    path = record.path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"diagnostics": change}))
    assert said in getattr(read_record(record.path), "reason", "")


def test_a_table_of_other_columns_is_none_of_ours(tmp_path: Path) -> None:
    other = pa.table({"seed": [0], "step": [0], "layer": [1], "name": ["x"], "value": [0.5]})
    path = tmp_path / "diagnostics.parquet"
    path.write_bytes(diagnostics_file.to_bytes(other))
    said = diagnostics_file.read_table(path)
    assert isinstance(said, str)
    assert "holds the columns seed int64, step int64, layer int64" in said


def test_the_command_takes_them_and_refuses_what_it_does_not_know(command: Any) -> None:
    run = command("diagnostics=[units,activatoins]")
    assert run.code == 1
    assert "unknown diagnostic 'activatoins'; did you mean 'activations'?" in run.said
    assert "Traceback" not in run.said
    assert command("diagnostics=all").code == 0
    (record,) = load_records(command.runs).records
    assert record.asked_diagnostics == set(DIAGNOSTICS.names())


@pytest.mark.slow
def test_several_processes_leave_them_out_by_name(train: Any, tmp_path: Path) -> None:
    (cell,) = train("norm=batch", "trainer=ddp_cpu", "trainer.devices=2", TWO)
    assert (cell.trained, cell.error) == ([0, 1], None)
    reason = "2 processes trained this together, each with a part of every batch"
    assert cell.left_out == {"activations": reason, "units": reason}


def test_a_dry_run_tells_what_lacks_only_diagnostics(train: Any, configure: Callable[..., Config]) -> None:
    train("norm=batch")
    config = configure("norm=batch", TWO)
    planned = plan_job(config, load(config.dataset), choose_norm(config.norm), command="")
    (cell,) = planned.cells
    assert (cell.missing, cell.undiagnosed, cell.is_new) == ((0, 1), (0, 1), False)
    assert any("missing diagnostics" in line for line in report_lines([planned]))
    train("norm=batch", TWO)
    (cell,) = plan_job(config, load(config.dataset), choose_norm(config.norm), command="").cells
    assert (cell.missing, cell.undiagnosed) == ((), ())
