"""Costs of recorded runs: what lacks one is measured here, once, whatever it differs in that costs nothing."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bnbench import cost
from bnbench.leaderboard import main as leaderboard
from bnbench.records import Record, load_costs, load_records
from bnbench.training.costs import Effort, Outcome, measure_missing, missing
from bnbench.training.job import run_job

QUICK = Effort(rounds=1, step_seconds=0.0, inference_seconds=0.0)


SMALL = ("model.hidden=[8,8]", "budget.max_steps=6", "budget.eval_every_steps=3", "budget.batch_size=16", "seeds=2")


@pytest.fixture(scope="module")
def cells(compose: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Path]]:
    """The folders of the cells of a command line, trained once."""
    folder = tmp_path_factory.mktemp("cells")

    @cache
    def trained(*overrides: str) -> list[Path]:
        return [Path(cell.folder) for cell in run_job(compose(*SMALL, "logger=none", f"runs_dir={folder}", *overrides))]

    return trained


@pytest.fixture
def train(cells: Callable[..., list[Path]], tmp_path: Path) -> Callable[..., list[Record]]:
    """Put trained cells into the folder of runs; return all records there."""

    def put(*commands: tuple[str, ...]) -> list[Record]:
        for folder in (folder for overrides in commands for folder in cells(*overrides)):
            shutil.copytree(folder, tmp_path / "runs" / folder.name)
        return load_records(tmp_path / "runs").records

    return put


def measured(records: list[Record], **options: Any) -> Outcome:
    return measure_missing(records, effort=QUICK, **options)


def test_what_lacks_a_cost_is_measured_once(train: Callable[..., list[Record]], tmp_path: Path) -> None:
    records = train(("norm=none",), ("norm=batch",))
    said: list[str] = []
    first = measured(records, say=said.append)
    assert (first.num_measured, first.num_workloads, first.failures) == (2, 1, [])
    assert [re.sub(r"\(.*, 1 thread\)", "(…)", line) for line in said] == [
        "Measuring the cost on digits of batch, none (…)"
    ]
    second = measured(records, say=said.append)
    assert (second.num_measured, second.paths, len(said)) == (0, [], 1)
    records = train(("norm=layer",))
    assert measured(records).num_measured == 3  # again beside the new one, in the same minutes
    assert measured(records).num_measured == 0
    costs = load_costs(tmp_path / "runs")
    for record in records:
        found = costs.of(record.workload_id, record.entry, record.cell_id)
        assert found is not None
        assert found.hardware.endswith(", 1 thread")
        assert found.step_seconds > 0
        assert (record.entry == "none") == (found.relative_step == 1.0 == found.relative_memory)


def test_a_known_cost_serves_workloads_that_differ_in_what_costs_nothing(train: Callable[..., list[Record]]) -> None:
    first = train(("norm=batch",), ("norm=none",))
    assert measured(first).num_measured == 2
    records = train(
        ("norm=batch", "optimizer.lr=[0.01,0.2]"),
        ("norm=batch", "schedule=cosine", "budget.max_steps=9"),
        ("norm=none", "dataset.data_seed=1"),
    )
    again = measured(records)
    assert (again.num_measured, again.failures) == (0, [])
    costs = load_costs(records[0].path.parent.parent)
    found = [costs.of(record.workload_id, record.entry, record.cell_id) for record in records]
    assert None not in found
    assert len({(cost.entry, cost.step_seconds) for cost in found if cost}) == 2
    assert measured(records).paths == []


@pytest.mark.parametrize(
    "change", ["budget.batch_size=8", "model.hidden=[8]", "optimizer=adam", "trainer.precision=64", "norm.eps=0.01"]
)
def test_what_changes_the_cost_is_measured(train: Callable[..., list[Record]], change: str) -> None:
    assert measured(train(("norm=batch",))).num_measured == 1
    assert measured(train(("norm=batch", change))).num_measured == (2 if change.startswith("norm") else 1)


def test_another_machine_is_kept_apart(
    train: Callable[..., list[Record]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records = train(("norm=batch",))
    measured(records)
    monkeypatch.setattr(missing, "processor", lambda: "Another")
    assert measured(records).num_measured == 1
    costs = load_costs(tmp_path / "runs")
    assert set(costs.hardware_of(records[0].workload_id)) > {"Another, 1 thread"}
    assert len(costs.hardware_of(records[0].workload_id)) == 2


def test_again_measures_what_is_known_and_the_newest_counts(train: Callable[..., list[Record]], tmp_path: Path) -> None:
    records = train(("norm=batch",))
    measured(records)
    (path,) = (tmp_path / "runs" / "costs").glob("*.json")
    content = json.loads(path.read_text())
    content["measured_at"] = "2020-01-01T00:00:00+00:00"
    content["entries"][0]["step_seconds"] = 1234.5
    path.write_text(json.dumps(content))
    assert measured(records, again=True).num_measured == 1
    found = load_costs(tmp_path / "runs").of(records[0].workload_id, "batch")
    assert found is not None
    assert found.step_seconds < 1234.5


NORM = """
import torch


class Mine(torch.nn.Module):
    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        return inputs * {factor}
"""


def test_a_norm_that_cannot_be_imported_or_has_changed_is_named_and_skipped(
    train: Callable[..., list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("gone_norm", "changed_norm", "kept_norm"):
        (tmp_path / f"{name}.py").write_text(NORM.format(factor=2))
    records = train(
        *(("norm=custom", f"norm.class_path={name}:Mine") for name in ("gone_norm", "changed_norm", "kept_norm"))
    )
    changed = [
        replace(record, identity={**record.identity, "entry": {**record.identity["entry"], "version": "another"}})
        if record.norm.startswith("changed")
        else record
        for record in records
    ]
    gone = [
        replace(record, config={**record.config, "norm": {"name": "custom", "class_path": "not_here:Mine"}})
        if record.norm.startswith("gone")
        else record
        for record in changed
    ]
    outcome = measured(gone)
    assert outcome.num_measured == 1
    assert len(outcome.failures) == 2
    assert any("module 'not_here' does not import" in failure for failure in outcome.failures)
    assert any("has changed since" in failure and "changed_norm" in failure for failure in outcome.failures)


MODEL = """
from torch import nn


def towers(num_inputs, num_outputs, make_norm):
    return nn.Sequential(nn.Linear(num_inputs, 8), make_norm(8), nn.GELU(), nn.Linear(8, num_outputs))
"""


def test_a_model_of_ones_own_is_measured_unless_it_has_changed(
    train: Callable[..., list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_model.py").write_text(MODEL)
    (record,) = train(("norm=batch", "model=custom", "model.class_path=own_model:towers"))
    assert measured([record]).num_measured == 1
    (found,) = load_costs(tmp_path / "runs").measured[record.workload_id].popitem()[1]
    assert found.parameters == 64 * 8 + 8 + 2 * 8 + 8 * 10 + 10
    workload = record.identity["workload"]
    older = {**workload, "model": {**workload["model"], "version": "another"}}
    outcome = measured([replace(record, identity={**record.identity, "workload": older})], again=True)
    assert outcome.num_measured == 0
    assert "model.class_path=own_model:towers has changed since" in outcome.failures[0]


def test_the_data_are_not_needed(train: Callable[..., list[Record]], monkeypatch: pytest.MonkeyPatch) -> None:
    records = train(("norm=batch",))
    monkeypatch.setattr("bnbench.training.recorded.load", lambda config: pytest.fail("read the data"))
    assert measured(records).num_measured == 1


def without_shape(record: Record, **config: Any) -> Record:
    """The record as an older release wrote it."""
    environment = {key: value for key, value in record.environment.items() if key != "data_shape"}
    dataset = {**record.config["dataset"], **config}
    return replace(record, environment=environment, config={**record.config, "dataset": dataset})


def test_an_older_record_finds_the_shape_in_its_data(train: Callable[..., list[Record]], tmp_path: Path) -> None:
    (record,) = train(("norm=batch",))
    assert measured([without_shape(record)]).num_measured == 1
    (workload,) = {cost.path for cost in load_costs(tmp_path / "runs").measured[record.workload_id].popitem()[1]}
    shape = json.loads(workload.read_text())["workload"]
    assert (shape["num_inputs"], shape["num_outputs"], shape["loss"]) == (64, 10, "cross_entropy")


@pytest.mark.parametrize(
    ("change", "reason"), [({"data_seed": 3}, "have changed since"), ({"source": "unheard_of"}, "unheard_of")]
)
def test_an_older_record_without_its_data_is_named(
    train: Callable[..., list[Record]], change: dict[str, Any], reason: str
) -> None:
    (record,) = train(("norm=batch",))
    outcome = measured([without_shape(record, **change)])
    assert outcome.num_measured == 0
    (failure,) = outcome.failures
    assert reason in failure


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"norm": 3}},
        {"config": {}},
        {"config": {"surprise": 1}},
        {"identity": {"workload": {}, "entry": {}}},
        {"identity": {"workload": {"dataset": 3, "model": [], "budget": None}, "entry": {"norm": []}}},
    ],
)
def test_a_record_of_nonsense_is_named_and_costs_no_other(
    train: Callable[..., list[Record]], change: dict[str, Any]
) -> None:
    good, bad = train(("norm=layer",), ("norm=none",))
    outcome = measured([good, replace(bad, **change)])
    assert outcome.num_measured == 1
    assert len(outcome.failures) == 1


@pytest.mark.parametrize("key", ["num_inputs", "num_outputs", "loss"])
@pytest.mark.parametrize("value", [-1, 0, "x", [], None])
def test_a_shape_of_nonsense_is_not_believed(train: Callable[..., list[Record]], key: str, value: Any) -> None:
    (record,) = train(("norm=none",))
    told = {**record.environment["data_shape"], key: value}
    without_data = without_shape(record, source="unheard_of")
    outcome = measured([replace(without_data, environment={**record.environment, "data_shape": told})])
    assert outcome.num_measured == 0
    assert "unheard_of" in outcome.failures[0]


def test_command_measures_and_prints_a_table_and_a_second_time_only_prints(
    train: Callable[..., list[Record]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(("norm=none",), ("norm=batch",))
    runs = str(tmp_path / "runs")
    assert cost.main([runs, "--rounds", "1"]) == 0
    first = capsys.readouterr()
    assert "Measuring the cost on digits of batch, none" in first.err
    assert "64-8-8-10, sgd, batch 16" in first.out
    assert re.search(r"^batch +\d", first.out, re.MULTILINE)
    assert cost.main([runs]) == 0
    second = capsys.readouterr()
    assert (second.out, second.err) == (first.out, "")


def test_command_chooses_and_prints_json_that_names_what_is_skipped(
    train: Callable[..., list[Record]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(("norm=none",), ("norm=batch",), ("norm=layer",))
    runs = tmp_path / "runs"
    (runs / "costs").mkdir()
    (runs / "costs" / "damaged.json").write_text("{")
    arguments = [str(runs), "--norm", "batch,none", "--dataset", "digits", "--format", "json", "--rounds", "1"]
    assert cost.main(arguments) == 0
    shown = json.loads(capsys.readouterr().out)
    (workload,) = shown["workloads"]
    assert {entry["entry"] for entry in workload["entries"]} == {"batch", "none"}
    assert [Path(each["path"]).name for each in shown["skipped"]] == ["damaged.json"]
    assert shown["failures"] == []
    leaderboard([str(runs), "--format", "json"])
    rows = json.loads(capsys.readouterr().out)["entries"]
    assert {row["entry"] for row in rows} == {"batch", "none", "layer"}


def test_command_says_what_could_not_be_measured_and_fails(
    train: Callable[..., list[Record]], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lost_norm.py").write_text(NORM.format(factor=2))
    train(("norm=none",), ("norm=custom", "norm.class_path=lost_norm:Mine"))
    monkeypatch.delitem(__import__("sys").modules, "lost_norm")
    (tmp_path / "lost_norm.py").unlink()
    assert cost.main([str(tmp_path / "runs"), "--rounds", "1"]) == 1
    shown = capsys.readouterr()
    assert "bnbench.cost: not measured: digits, lost_norm:Mine: " in shown.err
    assert "Traceback" not in shown.err
    assert re.search(r"^none +\d", shown.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RUNS", "--norm", "bacth"], "unknown norm 'bacth' in these runs: did you mean 'batch'?"),
        (["RUNS", "--dataset", "digit"], "unknown dataset 'digit' in these runs: did you mean 'digits'?"),
        (["RUNS", "--experiment", "none"], "unknown experiment 'none'"),
        (["nowhere"], "nowhere does not exist; expected a folder of runs"),
    ],
)
def test_command_refuses_what_is_not_there(
    train: Callable[..., list[Record]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    train(("norm=batch",))
    assert cost.main([str(tmp_path / "runs") if word == "RUNS" else word for word in arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"bnbench.cost: {said}")
    assert shown.out == ""
    assert not (tmp_path / "runs" / "costs").exists()


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--rounds", "many"], ["--format", "xml"], ["--norm", ","]])
def test_command_refuses_what_it_cannot_read(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_request:
        cost.main(arguments)
    assert exit_request.value.code == 2
    assert f"argument {arguments[0]}" in capsys.readouterr().err


def test_command_says_where_there_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main([str(tmp_path)]) == 1
    assert f"no run to measure in {tmp_path}; train some" in capsys.readouterr().err


def test_a_sweep_measures_what_has_no_cost_yet_before_its_board(command: Any) -> None:
    run = command("measure_cost=true", "norm=none,batch", "-m")
    assert run.code == 0
    assert "Measuring the cost on digits of batch, none" in run.said
    assert run.said.index("Measuring the cost") < run.said.index("hard target")
    assert load_records(command.runs).skipped == []
    costs = load_costs(command.runs)
    for record in load_records(command.runs).records:
        assert costs.of(record.workload_id, record.entry, record.cell_id) is not None
    assert "Measuring" not in command("measure_cost=true", "norm=none,batch", "-m").said


def test_a_sweep_measures_nothing_where_it_is_told_so(command: Any) -> None:
    run = command("norm=none")  # measure_cost=false is among the defaults of these tests
    assert run.code == 0
    assert "Measuring" not in run.said
    assert not (command.runs / "costs").exists()


def test_a_cost_that_cannot_be_kept_is_said_and_ends_no_sweep(command: Any) -> None:
    command.runs.mkdir()
    (command.runs / "costs").write_text("a file where a folder is needed")
    run = command("measure_cost=true", "norm=none,batch", "-m")
    assert run.code == 0
    assert "Cost not measured: " in run.said
    assert "cannot be written" in run.said
    assert "Traceback" not in run.said
    assert "hard target" in run.said


def test_measure_cost_decides_no_id(configure: Callable[..., Any], tmp_path: Path) -> None:
    run_job(configure("norm=batch", "measure_cost=true"))
    shutil.move(tmp_path / "runs", tmp_path / "measured")
    run_job(configure("norm=batch", "measure_cost=false"))
    ids = [load_records(tmp_path / folder).records[0].cell_id for folder in ("measured", "runs")]
    assert ids[0] == ids[1]


def test_measure_cost_takes_true_or_false_only(command: Any) -> None:
    run = command("measure_cost=maybe")
    assert run.code == 1
    assert "measure_cost" in run.said
    assert "Traceback" not in run.said
