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
