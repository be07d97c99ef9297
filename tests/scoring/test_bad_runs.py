"""Whatever is wrong with some runs is said, and costs nothing else: the good ones stand on every board as before."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bnbench.leaderboard import main
from bnbench.records.read import load_records
from bnbench.reports import to_csv, to_json, to_markdown, to_text
from bnbench.scoring import Board, score

Cell = Callable[..., Path]
FAST, SLOW = [20, 30] * 4, [70, 90] * 4
SAME = {"workload": "one"}


@dataclass(frozen=True)
class Bad:
    """What is written beside the good runs, and words that the board must say of it."""

    write: Callable[[Cell, Path], object]
    said: tuple[str, ...]


def newer(cell: Cell, runs_dir: Path) -> None:
    folder = cell("rms", FAST, workload=SAME)
    raw = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(raw | {"schema_version": 99}))


def truncated(cell: Cell, runs_dir: Path) -> None:
    history = cell("rms", FAST, workload=SAME) / "history.parquet"
    history.write_bytes(history.read_bytes()[:-100])


def twice(cell: Cell, runs_dir: Path) -> None:
    cell("rms", FAST, workload=SAME)
    cell("rms", {0: 50, 9: 50}, workload=SAME)


def mixed_suites(cell: Cell, runs_dir: Path) -> None:
    cell("rms", FAST, workload=SAME, experiments=["core_v1"])
    cell("rms", FAST, dataset="other", experiments=["core_v2"])


def mixed_engines(cell: Cell, runs_dir: Path) -> None:
    for version in (1, 2):
        cell("rms", FAST, workload=SAME | {"engine_version": version})


CASES = {
    "one seed": Bad(lambda cell, _: cell("rms", [20], workload=SAME), ("rms", "1 paired seed can never decide")),
    "unpaired seeds": Bad(
        lambda cell, _: cell("rms", dict.fromkeys(range(50, 58), 20), workload=SAME),
        ("not compared: no seed in common with none",),
    ),
    "some unpaired seeds": Bad(
        lambda cell, _: cell("rms", dict.fromkeys(range(1, 12), 20), workload=SAME),
        ("5 seeds without a partner left out",),
    ),
    "all censored": Bad(lambda cell, _: cell("rms", [None] * 8, workload=SAME), ("never reaches 95 % in 100 steps",)),
    "another budget": Bad(
        lambda cell, _: cell("rms", FAST, workload=SAME, max_steps=200), ("max_steps (200 against 100)",)
    ),
    "another cadence": Bad(
        lambda cell, _: cell("rms", FAST, workload=SAME, cadence=20), ("eval_every_steps (20 against 10)",)
    ),
    "suite versions": Bad(mixed_suites, ("core_v1 and core_v2", "--experiment core_v2")),
    "engine versions": Bad(mixed_engines, ("mixed engine versions",)),
    "a duplicate seed": Bad(twice, ("seed",)),
    "a newer schema": Bad(newer, ("schema_version 99", "newer bnbench")),
    "a truncated Parquet": Bad(truncated, ("history.parquet is damaged or truncated",)),
    "an entry named <script>": Bad(
        lambda cell, _: cell("<script>alert(1)</script>", FAST, norm="rms", workload=SAME), ("alert(1)",)
    ),
    "a target no one reaches": Bad(
        lambda cell, _: cell("none", [None] * 8, dataset="hopeless"),
        ("no entry reaches accuracy 0.95 in 100 steps; the best value seen is 0.5",),
    ),
    "a missing reference": Bad(
        lambda cell, _: cell("rms", FAST, dataset="alone"), ("the reference 'none' has no scored seed here",)
    ),
}


@pytest.fixture
def good(cell: Cell, runs_dir: Path) -> Board:
    cell("none", SLOW, workload=SAME)
    cell("batch", FAST, workload=SAME)
    return score(load_records(runs_dir))


def told(board: Board) -> str:
    rows = [f"{row.entry} {row.verdict}" for row in board.entries]
    return "\n".join([*rows, *board.notes, *(item.reason for item in board.skipped)])


@pytest.mark.parametrize("case", CASES)
def test_it_is_said_and_nothing_else_is_lost(case: str, good: Board, cell: Cell, runs_dir: Path) -> None:
    CASES[case].write(cell, runs_dir)
    board = score(load_records(runs_dir))
    for words in CASES[case].said:
        assert words in told(board)
    kept = {(row.workload_id, row.entry): row for row in board.entries}
    for row in good.entries:
        found = kept[row.workload_id, row.entry]
        for unmoved in ("n_seeds", "hit_rate", "steps_to_target", "final", "diverged", "is_reference"):
            assert getattr(found, unmoved) == getattr(row, unmoved)
        assert (found.speedup.estimate, found.speedup.low) == (row.speedup.estimate, row.speedup.low)


@pytest.mark.parametrize("case", CASES)
def test_every_report_of_it_can_be_made(case: str, good: Board, cell: Cell, runs_dir: Path) -> None:
    CASES[case].write(cell, runs_dir)
    board = score(load_records(runs_dir), curves=True)
    assert len(board.curves) == len(board.entries)
    for report in (to_text, to_markdown):
        assert "batch" in report(board, everything=True)
    assert len(json.loads(to_json(board))["entries"]) == len(board.entries)
    assert to_csv(board).count("\n") == len(board.entries) + 1
    assert main([str(runs_dir), "--columns", "all"]) == 0


def test_no_runs_at_all_are_said(runs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs_dir)]) == 1
    assert "no run to rank" in capsys.readouterr().err
    board = score(load_records(runs_dir), curves=True)
    assert (board.entries, board.across, board.tunability, board.curves, board.runs) == ((),) * 5


def test_a_reference_that_is_in_no_run_is_named_with_the_nearest(good: Board, runs_dir: Path) -> None:
    board = score(load_records(runs_dir), reference="btach")
    assert board.notes[0].startswith("the reference 'btach' is in none of these runs: did you mean 'batch'?")
    assert {row.speedup.estimate for row in board.entries} == {None}
    assert sorted(row.rank for row in board.entries) == [1, 2]
