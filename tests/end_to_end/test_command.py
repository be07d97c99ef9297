"""`python -m bnbench.train` as it is typed: real processes, few of them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import load_records, read_experiment
from bnbench.train import multirun_first

ROOT = Path(__file__).parents[2]
SMALL = (
    "model.hidden=[8,8]",
    "budget.max_steps=6",
    "budget.eval_every_steps=3",
    "seeds=2",
    "logger=none",
    "measure_cost=false",
)


def typed(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.mark.slow
def test_a_sweep_trains_its_norms_ends_with_their_board_and_leaves_only_records(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    words = ("bnbench.train", "+experiment=quickstart", "-m", "norm=none,batch,layer", *SMALL)
    first = typed(*words, folder=tmp_path, TMPDIR=str(scratch))
    assert (first.returncode, first.stderr) == (0, "")
    assert "digits · batch: trained 2 seeds" in first.stdout
    assert [line.split()[1] for line in first.stdout.splitlines() if line.strip().startswith(("1 ", "2 ", "3 "))]
    again = typed(*words, folder=tmp_path, TMPDIR=str(scratch))
    assert again.returncode == 0
    assert "Nothing to train: every seed asked for is already recorded" in again.stdout
    assert len(read_experiment(tmp_path / "runs", "quickstart")) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "scratch"], "no folder of Hydra's own"
    assert not list(scratch.glob("bnbench-*"))
    board = typed("bnbench.leaderboard", "runs", "--format", "csv", folder=tmp_path)
    assert board.returncode == 0
    assert {line.split(",")[4] for line in board.stdout.splitlines()[1:]} == {"none", "batch", "layer"}


@pytest.mark.slow
def test_a_mistake_leaves_no_scratch_folder(tmp_path: Path) -> None:
    result = typed("bnbench.train", "norm=bacth", folder=tmp_path, TMPDIR=str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("norm=bacth is unknown; did you mean 'batch'?")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_multirun_flag_may_stand_anywhere(flag: str, place: int, command: Any) -> None:
    words = ["norm=none,layer", "seeds=[0,5]"]
    words.insert(place, flag)
    run = command(*words)
    assert run.code == 0, run.said
    records = load_records(command.runs).records
    assert [(record.norm, [entry["seed"] for entry in record.seeds]) for record in records] == [
        ("layer", [0, 5]),
        ("none", [0, 5]),
    ]


def test_every_flag_but_one_is_dropped() -> None:
    assert multirun_first(["a=1", "-m", "b=2", "--multirun"]) == ["-m", "a=1", "b=2"]


def test_a_single_run_writes_the_same_record_as_a_job_of_a_sweep(
    command: Any, histories: Any, assert_same: Any, tmp_path: Path
) -> None:
    assert command("norm=layer").code == 0
    assert command("-m", "norm=layer", f"runs_dir={tmp_path / 'sweep'}").code == 0
    assert_same(histories(command.runs), histories(tmp_path / "sweep"))


def test_help_names_the_groups(command: Any) -> None:
    run = command("--help")
    assert run.code == 0
    for group in ("dataset: ", "norm: ", "optimizer: ", "experiment: "):
        assert group in run.said
    assert "schema" not in run.said.partition("Defaults")[0], "nothing of ours that cannot be chosen"
