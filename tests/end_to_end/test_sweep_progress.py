"""A sweep says how far it is: jobs, cells, failures and the time left, of those whose number can be known."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import open_dict, read_write

from bnbench.runs_commands.status import status_of
from bnbench.sweep_progress import SweepProgress, begin_notes
from bnbench.sweep_size import SweepSize, size_of_sweep
from bnbench.train import CONF
from bnbench.training.history import Observation, Trajectory
from bnbench.training.progress import Progress

SIZES: dict[str, tuple[tuple[str, ...], SweepSize]] = {
    "no list": ((), SweepSize(jobs=1, cells=1)),
    "product": (("norm=batch,layer,none", "model.dropout=0.0,0.1"), SweepSize(jobs=6, cells=6)),
    "rates that train together": (("norm=batch,layer", "optimizer.lr=[0.1,0.2,0.3]"), SweepSize(jobs=2, cells=6)),
    "rates that do not": (("norm=batch,layer", "optimizer.lr=0.1,0.2"), SweepSize(jobs=4, cells=4)),
    "lists of rates": (("norm=batch,layer", "optimizer.lr=[0.1,0.2],[0.3]"), SweepSize(jobs=4, cells=6)),
    "the last one counts": (("norm=batch,layer", "norm=batch,layer,rms"), SweepSize(jobs=3, cells=3)),
    "range": (("model.dropout=range(0,0.3,0.1)",), SweepSize(jobs=3, cells=3)),
    "groups with rates of their own": (("+workload=letter_adam,adult_mixed",), SweepSize(jobs=2, cells=None)),
}


SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


def size(*overrides: str, sweeper: str = SWEEPER) -> SweepSize | None:
    """The size of a multirun; what is swept over is not in the configuration it begins with."""
    fixed = [override for override in overrides if "=[" in override and "],[" not in override]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=fixed, return_hydra_config=True)
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.overrides.task = list(overrides)
            config.hydra.sweeper._target_ = sweeper
        return size_of_sweep(config)


@pytest.mark.parametrize("case", SIZES)
def test_a_basic_sweep_is_as_large_as_the_product_of_its_lists(case: str) -> None:
    overrides, expected = SIZES[case]
    assert size(*overrides) == expected


def test_a_sweeper_that_chooses_as_it_goes_has_no_size() -> None:
    assert size("norm=batch,layer", sweeper="hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper") is None


def note(number: int, *, trained: int = 0, reused: int = 0, error: str | None = None) -> dict[str, Any]:
    cell = {"trained": list(range(trained)), "reused": list(range(reused)), "error": error, "elsewhere": None}
    return {"job": number, "command": "", "cells": [cell], "refusal": None}


class Clock:
    def __init__(self, folder: Path) -> None:
        self.now: float = json.loads((folder / "size.json").read_text())["started_at"]

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    begin_notes(tmp_path / "sweep", SweepSize(jobs=6, cells=6))
    return tmp_path / "sweep"


def test_jobs_of_all_processes_count_and_what_was_reused_takes_no_time(folder: Path) -> None:
    clock = Clock(folder)
    progress = SweepProgress(folder, clock=clock)
    assert progress.line() == "sweep: 0 of 6 jobs ended, 0 of 6 cells, 0 seeds done"
    progress.take(note(0, reused=8))
    clock.now += 30
    (folder / "1.json").write_text(json.dumps(note(1, trained=8)))
    (folder / "2.json").write_text(json.dumps(note(2, error="RuntimeError: broken")))
    assert progress.line() == "sweep: 3 of 6 jobs ended, 2 of 6 cells, 16 seeds done, 1 failed, about 45 s left"
    assert progress.short(0.5) == "3/6 jobs, 2/6 cells, 1 failed, about 30 s left"
    for number in (3, 4, 5, 6):  # one more than was known: the tuned track has added it
        progress.take(note(number, trained=8))
    assert progress.line() == "sweep: 6 of 6 jobs ended, 6 of 6 cells, 48 seeds done, 1 failed"


def test_lines_come_every_ten_seconds_and_at_once_when_something_failed(folder: Path) -> None:
    clock = Clock(folder)
    progress = SweepProgress(folder, clock=clock)
    assert progress.due() == ""
    clock.now += 9
    assert progress.due() == ""
    assert progress.due(at_once=True) != ""
    clock.now += 9
    assert progress.due() == ""
    clock.now += 2
    assert progress.due() != ""


def test_nothing_is_said_without_a_total_or_of_a_single_job(tmp_path: Path) -> None:
    assert SweepProgress(tmp_path).due(at_once=True) == ""
    begin_notes(tmp_path, SweepSize(jobs=1, cells=3))
    assert SweepProgress(tmp_path).due(at_once=True) == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "before"), [(Terminal(), "\r\x1b[2K1/6 jobs 50% | digits"), (io.StringIO(), "")])
def test_the_live_line_of_a_terminal_begins_with_the_sweep(stream: io.StringIO, before: str) -> None:
    progress = Progress(
        "digits · batch", metric="accuracy", max_steps=100, stream=stream, sweep=lambda part: f"1/6 jobs {part:.0%}"
    )
    one = np.ones(1)
    observation = Observation(50, np.zeros(1, dtype=np.int64), one, one, one, one)
    progress.observe(observation, Trajectory(1, maximise=True))
    assert stream.getvalue().startswith(before.replace("50%", "50%"))
    assert ("step 50/100" in stream.getvalue()) == bool(before)
    assert "\n" not in stream.getvalue()


def test_a_sweep_leaves_its_size_for_the_status_and_a_refusal_says_what_there_is_to_say(command: Any) -> None:
    run = command("-m", "norm=group,layer", "model.hidden=[6]")
    assert "refused: norm 'group'" in run.said
    assert "jobs ended" not in run.said
    status = status_of(command.runs)
    assert any("2 of 2 jobs (2 cells) ended, the last" in line for line in status.lines)
    assert (status.data["sweep"]["num_jobs"], status.data["sweep"]["num_cells"]) == (2, 2)


def test_the_status_of_a_sweep_that_has_just_begun(folder: Path) -> None:
    folder.rename(folder.parent / "sweeps")
    (folder.parent / "sweeps" / "20260101T000000Z-abcdef").mkdir()
    (folder.parent / "sweeps" / "size.json").rename(folder.parent / "sweeps" / "20260101T000000Z-abcdef" / "size.json")
    status = status_of(folder.parent)
    assert any("0 of 6 jobs (6 cells) ended, begun" in line for line in status.lines)
