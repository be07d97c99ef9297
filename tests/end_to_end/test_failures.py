"""What fails in one cell is recorded and told, costs no other cell, and trains again by the command that is named."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import load_records

STRANGER = """
import pathlib
import torch

class Fragile(torch.nn.Module):
    '''Fails on more than `most` rows as long as the file `broken` is there.'''

    def __init__(self, num_features, most=0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(num_features))
        self.most = most

    def forward(self, inputs):
        if inputs.shape[-2] > self.most and pathlib.Path("broken").exists():
            raise RuntimeError("the stranger's norm broke")
        return inputs * self.weight
"""
AT_ONCE = ("norm=custom", "norm.class_path=stranger:Fragile")
# past the batches of training: when the first evaluation comes
LATER = (*AT_ONCE, "+norm.most=16")


@pytest.fixture
def stranger(command: Any) -> Path:
    """The file that makes the stranger's norm fail as long as it is there."""
    (command.folder / "stranger.py").write_text(STRANGER)
    broken: Path = command.folder / "broken"
    broken.touch()
    return broken


@pytest.mark.parametrize("when", [AT_ONCE, LATER], ids=["at_once", "later"])
def test_a_crash_is_recorded_with_its_traceback_and_trained_again_by_the_command_it_names(
    when: tuple[str, ...], command: Any, stranger: Path
) -> None:
    sweep = ("-m", *when, "model.dropout=0.0,0.1")
    run = command(*sweep)
    assert run.code == 1
    assert "Traceback" not in run.said
    assert run.said.count("failed: RuntimeError: the stranger's norm broke") == 2
    assert "sweep: 1 of 2 jobs ended, 0 of 2 cells, 0 seeds done, 1 failed" in run.said
    assert "2 failed:" in run.said
    failed = load_records(command.runs).failed
    assert len(failed) == 2
    for record in failed:
        assert record.raw["error"]["type"] == "RuntimeError"
        assert "stranger.py" in record.raw["error"]["traceback"]
        assert [entry["status"] for entry in record.seeds] == ["failed", "failed"]
        assert f"traceback: {record.path.relative_to(command.folder) / 'run.json'}" in run.said
    stranger.unlink()
    commands = [line.partition("again: ")[2] for line in run.said.splitlines() if "again: " in line]
    assert len(commands) == 2
    words = shlex.split(commands[0])
    assert words[:3] == ["python", "-m", "bnbench.train"]
    again = command(*words[3:])
    assert again.code == 0, again.said
    assert again.said.count("trained 2 seeds") == 1
    rest = command(*sweep)
    assert (rest.code, rest.said.count("trained 2 seeds"), rest.said.count("nothing to train")) == (0, 1, 1)


def commands_named(said: str) -> list[list[str]]:
    """The arguments of the commands at the end that run what failed again."""
    return [shlex.split(line.partition("again: ")[2])[3:] for line in said.splitlines() if "again: " in line]


def test_the_failures_of_a_single_run_are_listed_at_the_end_too(command: Any, stranger: Path) -> None:
    run = command(*AT_ONCE, "optimizer.lr=[0.1,0.2]")
    assert run.code == 1
    assert "2 failed:" in run.said
    assert run.said.index("2 failed:") > run.said.index("failed: RuntimeError: the stranger's norm broke")
    stranger.unlink()
    first, second = commands_named(run.said)
    assert first == second
    again = command(*first)
    assert (again.code, again.said.count("trained 2 seeds")) == (0, 1), again.said
    assert len(load_records(command.runs).records) == 2


def test_a_job_that_vanished_without_a_word_is_listed_with_its_command(command: Any) -> None:
    run = command("-m", "norm=none,batch,layer", "model.dropout=0.0", fault=("jobs lost", [0, 2]))
    assert run.code == 1
    assert "2 failed:" in run.said
    assert run.said.count("left no word of how it ended") == 2
    assert "digits · batch: trained 2 seeds" in run.said
    for arguments in commands_named(run.said):
        assert command(*arguments).code == 0
    assert sorted(record.norm for record in load_records(command.runs).records) == ["batch", "layer", "none"]


def test_jobs_that_all_vanished_are_listed(command: Any) -> None:
    run = command("-m", "norm=none,batch", fault=("jobs lost", [0, 1]))
    assert run.code == 1
    assert "2 failed:" in run.said
    assert [arguments[-1] for arguments in commands_named(run.said)] == ["norm=none", "norm=batch"]


def test_where_the_launcher_breaks_down_what_is_done_is_shown_and_what_is_not_is_listed(command: Any) -> None:
    run = command("-m", "norm=none,batch,layer", fault=("launcher broken", 1))
    assert run.code == 1
    assert "Traceback" not in run.said
    assert run.said.count("the launcher broke down: RuntimeError: the pool of workers is gone") == 1
    assert "none: the reference" in run.said
    assert "2 failed:" in run.said
    assert [arguments[-1] for arguments in commands_named(run.said)] == ["norm=batch", "norm=layer"]
    again = command("-m", "norm=none,batch,layer")
    assert (again.code, again.said.count("trained 2 seeds")) == (0, 2)


def test_hydra_full_error_shows_the_traceback_of_a_failed_cell(command: Any, stranger: Path) -> None:
    run = command(*AT_ONCE, HYDRA_FULL_ERROR="1")
    assert run.code == 1
    assert "Traceback (most recent call last)" in run.said
    assert "stranger.py" in run.said


def test_a_diverged_cell_is_no_failure(command: Any) -> None:
    run = command("norm=none", "optimizer.lr=1e20")
    assert run.code == 0
    assert "digits · none: trained 2 seeds" in run.said
    assert "2 diverged" in run.said
    assert "failed" not in run.said


def test_a_refused_job_is_listed_with_its_command_and_the_others_train(command: Any) -> None:
    run = command("-m", "norm=group,layer", "model.hidden=[6]")
    assert run.code == 1
    assert "digits · layer: trained 2 seeds" in run.said
    assert "1 failed:" in run.said
    (again,) = [line.strip() for line in run.said.splitlines() if "again:" in line]
    assert shlex.split(again)[-1] == "norm=group"
    assert run.said.count("num_groups=4 does not divide 6 features") == 2, "when it happens, and at the end"


def test_a_damaged_record_costs_no_other_and_is_trained_anew(command: Any) -> None:
    first = command("-m", "norm=none,batch")
    damaged = next(command.runs.glob("digits-none-*/*/run.json"))
    damaged.write_text(damaged.read_text()[:100])
    (command.runs / "digits-layer-000000000000" / "seeds-0-1-00000000").mkdir(parents=True)
    again = command("-m", "norm=none,batch")
    assert (first.code, again.code) == (0, 0)
    assert "digits · none: trained 2 seeds" in again.said
    assert "digits · batch: 2 seeds already finished, nothing to train" in again.said
    json.loads(damaged.read_text())
