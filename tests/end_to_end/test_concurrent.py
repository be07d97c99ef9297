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


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_concurrent_sweeps_train_every_cell_once(
    processes: int, command: Any, histories: Any, assert_same: Any, tmp_path: Path
) -> None:
    runs = [command.start(*SWEEP) for _ in range(processes)]
    assert [run.wait().code for run in runs] == [0] * processes
    assert shared_out(runs) == {"none": 1, "batch": 1, "layer": 1, "rms": 1}
    assert all("Traceback" not in run.said for run in runs)
    loaded = load_records(command.runs)
    assert len(loaded.records) == 4
    assert not list((command.runs / ".locks").glob("*.lock"))
    assert not list(command.runs.rglob("*.tmp"))
    alone = command(*SWEEP, f"runs_dir={tmp_path / 'alone'}")
    assert alone.code == 0
    assert_same(histories(command.runs), histories(tmp_path / "alone"))
