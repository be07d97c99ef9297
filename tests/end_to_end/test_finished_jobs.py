"""What earlier sweeps have finished is known without composing it again, and only as long as nothing has changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnbench.config import Config, as_dict, config_as_noted
from bnbench.records import load_records, read_experiment
from bnbench.train import CONF

SWEEP = ("-m", "norm=none,batch,layer", "model.dropout=0.0,0.1")
NO_JOB_MAY_START = ("launcher broken", 0)


def test_a_finished_sweep_starts_no_job_and_shows_the_same_board(command: Any) -> None:
    first, again = command(*SWEEP), command(*SWEEP, fault=NO_JOB_MAY_START)
    assert (first.code, again.code) == (0, 0), again.said
    assert again.said.count("2 seeds already finished, nothing to train") == 6
    assert "Nothing to train" in again.said

    def board(said: str) -> str:
        return said[said.index("rank entry") :].removesuffix(again.said.splitlines()[-1] + "\n")

    assert board(again.said) == board(first.said)
    assert command(*SWEEP, fault=NO_JOB_MAY_START).code == 0, "what it noted serves the next one"


def test_only_what_is_not_finished_runs(command: Any, histories: Any, assert_same: Any, tmp_path: Path) -> None:
    assert command(*SWEEP, fault=("launcher broken", 4)).code == 1
    again = command(*SWEEP, fault=("launcher broken", 2))
    assert again.code == 0, "of six jobs two were left, number 0 and 1"
    assert (again.said.count("nothing to train"), again.said.count("trained 2 seeds")) == (4, 2)
    assert command(*SWEEP, f"runs_dir={tmp_path / 'at_once'}").code == 0
    assert_same(histories(command.runs), histories(tmp_path / "at_once"))


def test_a_record_that_is_damaged_or_gone_is_trained_again(command: Any) -> None:
    assert command(*SWEEP).code == 0
    gone, damaged, *_ = sorted(command.runs.glob("digits-*"))
    shutil.rmtree(gone)
    history = next(damaged.glob("*/history.parquet"))
    history.write_bytes(history.read_bytes()[:-100])
    again = command(*SWEEP)
    assert again.code == 0
    assert (again.said.count("nothing to train"), again.said.count("trained 2 seeds")) == (4, 2)


def test_the_index_of_an_experiment_is_written_anew(command: Any) -> None:
    sweep = ("+experiment=quickstart", *SWEEP)
    assert command(*sweep).code == 0
    before = read_experiment(command.runs, "quickstart")
    shutil.rmtree(command.runs / "experiments")
    assert command(*sweep, fault=NO_JOB_MAY_START).code == 0
    assert read_experiment(command.runs, "quickstart") == before
    assert len(before) == 6


def table(folder: Path, *, power: int) -> None:
    draw = np.random.default_rng(0)
    rows = ["a,b,y", *(f"{a**power:.6f},{b:.6f},{int(a > b)}" for a, b in draw.normal(size=(80, 2)))]
    (folder / "table.csv").write_text("\n".join(rows))


def test_changed_data_are_noticed(command: Any) -> None:
    sweep = ("-m", "norm=none,batch", "dataset=file", "dataset.path=table.csv", "dataset.target_column=y")
    table(command.folder, power=1)
    assert command(*sweep).code == 0
    assert command(*sweep, fault=NO_JOB_MAY_START).code == 0
    table(command.folder, power=3)
    changed = command(*sweep)
    assert changed.code == 0, changed.said
    assert changed.said.count("trained 2 seeds") == 2
    assert "has changed, or is read otherwise than then" in changed.said


def test_a_changed_configuration_is_noticed(command: Any) -> None:
    (command.folder / "mine" / "experiment").mkdir(parents=True)
    file = command.folder / "mine" / "experiment" / "own.yaml"
    sweep = ("-m", "norm=none,batch", "+experiment=own", "--config-dir", "mine")
    for rate in (0.1, 0.2):
        file.write_text(f"# @package _global_\noptimizer:\n  lr: {rate}\n")
        run = command(*sweep)
        assert (run.code, run.said.count("trained 2 seeds")) == (0, 2), run.said
    assert command(*sweep, fault=NO_JOB_MAY_START).code == 0


@pytest.mark.parametrize("where", ["override", "file"])
def test_what_comes_from_the_environment_is_composed_each_time(where: str, command: Any) -> None:
    if where == "file":
        (command.folder / "mine" / "experiment").mkdir(parents=True)
        text = "# @package _global_\nmodel:\n  dropout: ${oc.env:DROPOUT}\n"
        (command.folder / "mine" / "experiment" / "own.yaml").write_text(text)
        from_it: tuple[str, ...] = ("+experiment=own", "--config-dir", "mine")
    else:
        from_it = ("model.dropout=${oc.env:DROPOUT}",)
    for dropout in ("0.1", "0.2"):
        run = command("-m", "norm=none,batch", *from_it, DROPOUT=dropout)
        assert (run.code, run.said.count("trained 2 seeds")) == (0, 2), run.said
    found = {record.config["model"]["dropout"] for record in load_records(command.runs).records}
    assert found == {0.1, 0.2}


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
def test_a_noted_configuration_comes_back_as_it_was(experiment: str, compose: Callable[..., Config]) -> None:
    given = ("dataset.path=homes.csv", "dataset.target_column=price") if experiment == "my_table" else ()
    config = compose(f"+experiment={experiment}", "logger=none", *given)
    assert config_as_noted(json.loads(json.dumps(as_dict(config)))) == config


def test_another_primary_configuration_is_noticed(command: Any) -> None:
    (command.folder / "mine").mkdir()
    for rate in (0.1, 0.2):
        text = f"defaults: [config, _self_]\noptimizer:\n  lr: {rate}\n"
        (command.folder / "mine" / f"own{rate}.yaml").write_text(text)
    for rate in (0.1, 0.2):
        run = command("-m", "norm=none,batch", "--config-dir", "mine", "--config-name", f"own{rate}")
        assert (run.code, run.said.count("trained 2 seeds")) == (0, 2), run.said


def test_a_changed_configuration_behind_a_link_is_noticed(command: Any) -> None:
    (command.folder / "elsewhere").mkdir()
    (command.folder / "mine").mkdir()
    (command.folder / "mine" / "experiment").symlink_to(command.folder / "elsewhere")
    for rate in (0.1, 0.2):
        (command.folder / "elsewhere" / "own.yaml").write_text(f"# @package _global_\noptimizer:\n  lr: {rate}\n")
        run = command("-m", "norm=none,batch", "+experiment=own", "--config-dir", "mine")
        assert (run.code, run.said.count("trained 2 seeds")) == (0, 2), run.said


def test_a_configuration_that_was_another_while_jobs_ran_is_composed_again(command: Any) -> None:
    """The file is edited under a sweep that runs, and put back."""
    (command.folder / "mine" / "experiment").mkdir(parents=True)
    file, edited = command.folder / "mine" / "experiment" / "own.yaml", command.folder / "edited"
    file.write_text("# @package _global_\noptimizer:\n  lr: 0.1\n")
    (command.folder / "editing.py").write_text(
        "from pathlib import Path\nfrom torch import nn\nOwn = nn.LayerNorm\n"
        f"file, edited = Path({str(file)!r}), Path({str(edited)!r})\n"
        "if not edited.exists():\n"
        "    edited.write_text(file.read_text())\n"
        "    file.write_text(file.read_text().replace('0.1', '0.2'))\n"
    )
    sweep = ("norm=custom", "norm.class_path=editing:Own", "model.dropout=0.0,0.1", "+experiment=own")
    assert command("-m", *sweep, "--config-dir", "mine").code == 0
    file.write_text(edited.read_text())
    again = command("-m", *sweep, "--config-dir", "mine")
    assert (again.code, again.said.count("nothing to train"), again.said.count("trained 2 seeds")) == (0, 1, 1)
    assert {record.config["optimizer"]["lr"] for record in load_records(command.runs).records} == {0.1, 0.2}


def test_a_primary_configuration_of_the_user_may_ask_the_environment(command: Any) -> None:
    """Though ours, of the same name, asks it where Hydra keeps its files."""
    shutil.copytree(CONF, command.folder / "mine")
    file = command.folder / "mine" / "config.yaml"
    file.write_text(
        file.read_text().replace("diagnostics: []", "diagnostics: []\nmodel:\n  dropout: ${oc.env:DROPOUT}")
    )
    for dropout in ("0.1", "0.2"):
        run = command("-m", "norm=none,batch", "--config-path", str(file.parent), DROPOUT=dropout)
        assert (run.code, run.said.count("trained 2 seeds")) == (0, 2), run.said


def test_code_that_only_a_note_names_is_not_imported(command: Any) -> None:
    sweep = ("-m", "norm=none,batch")
    assert command(*sweep).code == 0
    (command.folder / "planted.py").write_text("print('planted')\n")
    for path in command.runs.glob("sweeps/*/[0-9]*.json"):
        note = json.loads(path.read_text())
        note["asked"]["config"]["norm"] = {"name": "custom", "class_path": "planted:Norm"}
        path.write_text(json.dumps(note))
    again = command(*sweep)
    assert (again.code, again.said.count("nothing to train")) == (0, 2), again.said
    assert "planted" not in again.said


DAMAGED_NOTES = [
    lambda note: {**note, "key": [note["key"]]},
    lambda note: {**note, "asked": {**note["asked"], "config": {**note["asked"]["config"], "dataset": None}}},
    lambda note: {**note, "asked": {**note["asked"], "config": {**note["asked"]["config"], "norm": 3}}},
    lambda note: {**note, "asked": [], "cells": None},
    lambda note: {**note, "cells": [3]},
    lambda note: {**note, "asked": {**note["asked"], "config": {**note["asked"]["config"], "runs_dir": "elsewhere"}}},
]


@pytest.mark.parametrize("damage", DAMAGED_NOTES)
def test_damaged_notes_are_none(damage: Callable[..., Any], command: Any) -> None:
    sweep = ("-m", "norm=none,batch")
    assert command(*sweep).code == 0
    for path in command.runs.glob("sweeps/*/[0-9]*.json"):
        path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    again = command(*sweep)
    assert (again.code, again.said.count("nothing to train")) == (0, 2), again.said
    assert "warning" not in again.said
    assert not (command.folder / "elsewhere").exists()
