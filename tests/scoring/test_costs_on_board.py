"""Measured costs on a board: for the very cell, on one hardware, and nothing where nothing was measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.leaderboard import main
from bnbench.records import load_costs, load_records, write_costs
from bnbench.scoring import Board, score

Cell = Callable[..., Path]


def measure(runs_dir: Path, steps: dict[str, float], *, hardware: str = "a processor", cells: bool = True) -> None:
    """Write what every entry's step costs, beside that of `none`."""
    records = load_records(runs_dir).records
    entries: list[dict[str, Any]] = [
        {
            "entry": entry,
            "norm": entry,
            "cell_ids": sorted({record.cell_id for record in records if record.entry == entry and cells}),
            "step_seconds": seconds,
            "inference_seconds": seconds / 10,
            "peak_memory_bytes": 1000,
            "parameters": 100,
            "relative": {"step": seconds / steps["none"], "inference": 1.0, "memory": 1.0, "parameters": 1.0},
        }
        for entry, seconds in steps.items()
    ]
    write_costs(
        runs_dir,
        {
            "hardware": {"text": hardware},
            "measured_at": "2026-01-02T03:04:05+00:00",
            "environment": {},
            "workload": {"num_inputs": 64},
            "workload_ids": sorted({record.workload_id for record in records}),
            "entries": entries,
        },
    )


def board_of(runs_dir: Path) -> Board:
    return score(load_records(runs_dir), costs=load_costs(runs_dir))


@pytest.fixture
def two(cell: Cell) -> None:
    for dataset in ("a", "b"):
        cell("none", [80] * 8, dataset=dataset)
        cell("batch", [40] * 8, dataset=dataset)


@pytest.mark.usefixtures("two")
def test_costs_give_seconds_and_a_ratio_across_workloads(runs_dir: Path) -> None:
    measure(runs_dir, {"none": 0.001, "batch": 0.002})
    board = board_of(runs_dir)
    for row in board.entries:
        assert row.cost is not None
        assert row.details.seconds == pytest.approx(0.08), "twice the cost of half the steps"
    (across,) = board.across
    assert {entry.entry: entry.relative_step for entry in across.entries} == pytest.approx({"batch": 2, "none": 1})


@pytest.mark.usefixtures("two")
def test_a_cost_of_another_cell_of_the_same_name_does_not_count(runs_dir: Path) -> None:
    measure(runs_dir, {"none": 0.001, "batch": 0.002}, cells=False)
    assert {row.cost for row in board_of(runs_dir).entries} == {None}


@pytest.mark.usefixtures("two")
def test_costs_on_two_machines_are_never_mixed(runs_dir: Path) -> None:
    measure(runs_dir, {"none": 0.001, "batch": 0.002})
    measure(runs_dir, {"none": 0.5}, hardware="another")
    assert {row.cost.hardware for row in board_of(runs_dir).entries if row.cost} == {"a processor"}


@pytest.mark.usefixtures("two")
def test_the_command_reads_the_costs_beside_the_runs(runs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(runs_dir, {"none": 0.001, "batch": 0.002})
    (runs_dir / "costs" / "broken.json").write_text("{")
    assert main([str(runs_dir), "--format", "markdown"]) == 0
    printed = capsys.readouterr().out
    assert "| diverged | step cost | verdict |" in printed
    assert "| 2× |" in printed
    assert "broken" in printed, "a file of costs that cannot be read is listed"
