"""Curves, seeds and run facts for charts: only when asked for, and the same numbers as in the rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bnbench.records.read import load_records
from bnbench.scoring import score

Cell = Callable[..., Path]


def test_a_board_holds_no_curves_unless_they_are_asked_for(cell: Cell, runs_dir: Path) -> None:
    cell("none", [50] * 4)
    board = score(load_records(runs_dir))
    assert (board.curves, board.runs) == ((), ())
    asked = score(load_records(runs_dir), curves=True)
    assert asked.to_dict() == board.to_dict(), "they are never in the JSON"


def test_curves_are_percentiles_over_seeds_with_the_dead_at_chance(cell: Cell, runs_dir: Path) -> None:
    cell("none", [20, 50, None, 20], died={3: 40}, max_steps=60, cadence=20, levels=(0.5, 0.96))
    (curves,) = score(load_records(runs_dir), curves=True).curves
    assert curves.steps.tolist() == [0, 20, 40, 60]
    seeds = np.array([[0.5, 0.96, 0.96, 0.96], [0.5, 0.5, 0.5, 0.96], [0.5] * 4, [0.5, 0.96, 0.1, 0.1]])
    for name, share in (("low", 25), ("median", 50), ("high", 75)):
        assert getattr(curves, name) == pytest.approx(np.percentile(seeds, share, axis=0))
    assert curves.hit_share is not None
    assert curves.hit_share.tolist() == [0, 0.5, 0.5, 0.75]
    assert [(seed.seed, seed.steps, seed.reached, seed.diverged_at_step) for seed in curves.seeds] == [
        (0, 20, True, None),
        (1, 60, True, None),
        (2, 60, False, None),
        (3, 20, True, 40),
    ]
    assert [seed.final for seed in curves.seeds] == [0.97, 0.97, 0.97, None]
    assert {seed.spikes for seed in curves.seeds} == {0}


def test_every_row_that_is_shown_has_its_curves(cell: Cell, runs_dir: Path) -> None:
    for entry in ("none", "batch", "rms"):
        cell(entry, [50] * 4)
    board = score(load_records(runs_dir), norms=["batch"], level="all", curves=True)
    rows = [(row.workload_id, row.target_level, row.track, row.entry) for row in board.entries]
    assert len(rows) == 6
    assert [(each.workload_id, each.target_level, each.track, each.entry) for each in board.curves] == rows


def test_without_a_target_there_are_curves_and_no_hits(cell: Cell, runs_dir: Path) -> None:
    cell("none", [50] * 4, targets=None)
    (curves,) = score(load_records(runs_dir), curves=True).curves
    assert curves.hit_share is None
    assert {seed.steps for seed in curves.seeds} == {None}


def test_run_facts_tell_the_command_versions_and_hardware_of_every_record_that_counts(
    cell: Cell, runs_dir: Path
) -> None:
    told = {
        "command": "python -m bnbench.train",
        "versions": {"bnbench": "0.1.0", "torch": None},
        "processor": "a processor",
        "device": "cpu",
        "threads": 1,
        "commit": "abc",
    }
    folder = cell("none", [50] * 4, environment=told)
    bare = cell("batch", [50] * 4)
    cell("rms", [50] * 4, max_steps=200, workload={"budget": "another"})
    facts = {fact.path: fact for fact in score(load_records(runs_dir), datasets=["digits"], curves=True).runs}
    fact = facts[str(folder)]
    assert (fact.entry, fact.track, fact.num_seeds, fact.command) == ("none", "recipe", 4, "python -m bnbench.train")
    assert fact.versions == (("bnbench", "0.1.0"), ("torch", ""))
    assert (fact.hardware, fact.commit) == ("a processor, cpu, 1 thread", "abc")
    assert (facts[str(bare)].command, facts[str(bare)].versions, facts[str(bare)].hardware) == ("", (), "")


def test_a_record_that_does_not_count_is_no_fact(cell: Cell, runs_dir: Path) -> None:
    cell("none", [50] * 4)
    history = cell("batch", [50] * 4) / "history.parquet"
    history.write_bytes(history.read_bytes()[:-50])
    assert [fact.entry for fact in score(load_records(runs_dir), curves=True).runs] == ["none"]
