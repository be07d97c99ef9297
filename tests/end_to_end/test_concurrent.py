"""Several processes over one folder of runs: every cell is trained once, and every record is sound."""

from pathlib import Path
from typing import Any

import pytest

from bnbench.records import load_records

SWEEP = ("-m", "norm=none,batch,layer,rms", "seeds=3", "+experiment=quickstart", "budget.max_steps=200")


def shared_out(runs: list[Any]) -> dict[str, int]:
    """How many processes trained each norm, by what they said."""
    said = [line for run in runs for line in run.said.splitlines()]
    norms = ("none", "batch", "layer", "rms")
    return {norm: sum(line.startswith(f"digits · {norm}: trained 3 seeds") for line in said) for norm in norms}


def board(run: Any) -> str:
    """The table of the board at the end of a run, and its sentences."""
    said: str = run.said
    return said[said.index("rank entry") : said.index("verdicts and ranks follow")]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_concurrent_sweeps_train_every_cell_once(
    processes: int, command: Any, histories: Any, assert_same: Any, tmp_path: Path
) -> None:
    runs = [command.start(*SWEEP) for _ in range(processes)]
    assert [run.wait().code for run in runs] == [0] * processes
    assert shared_out(runs) == {"none": 1, "batch": 1, "layer": 1, "rms": 1}
    assert all("Traceback" not in run.said for run in runs)
    assert len({board(run) for run in runs}) == 1, "whoever trained what, all show the same"
    loaded = load_records(command.runs)
    assert len(loaded.records) == 4
    assert not list((command.runs / ".locks").glob("*.lock"))
    assert not list(command.runs.rglob("*.tmp"))
    alone = command(*SWEEP, f"runs_dir={tmp_path / 'alone'}")
    assert alone.code == 0
    assert_same(histories(command.runs), histories(tmp_path / "alone"))


@pytest.mark.slow
def test_a_sweep_that_was_asked_for_more_seeds_waits_and_trains_the_rest(command: Any) -> None:
    few, many = ("seeds=2", "seeds=5")
    runs = [
        command.start("norm=none", seeds, "budget.max_steps=3000", "+experiment=quickstart") for seeds in (few, many)
    ]
    assert [run.wait().code for run in runs] == [0, 0]
    records = load_records(command.runs).records
    assert sorted(seed["seed"] for record in records for seed in record.seeds) == [0, 1, 2, 3, 4]


def test_a_sweep_without_the_reference_is_compared_with_the_one_trained_before(command: Any) -> None:
    short = ("+experiment=quickstart", "seeds=2", "budget.max_steps=20")
    assert command("norm=none", *short).code == 0
    batch = command("norm=batch", *short)
    assert batch.code == 0
    assert "is in none of these runs" not in batch.said
    assert "none: the reference" in batch.said
