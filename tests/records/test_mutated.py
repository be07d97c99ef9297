"""Damaged and hostile records: read, scored and shown without a crash, a wrong number or a silent loss."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_wine

import bnbench
from bnbench.leaderboard import FORMATS
from bnbench.records import load_records
from bnbench.records.sums import SUMS_FILE, sums_text
from bnbench.runs import main
from bnbench.scoring import Board, score

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Mutation = Callable[[Path, np.random.Generator], None]
Case = tuple[str, Mutation, int]

_spec = importlib.util.spec_from_file_location("mutations", Path(__file__).with_name("mutations.py"))
assert _spec is not None
assert _spec.loader is not None
mutations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mutations)


def cases(listed: tuple[Case, ...]) -> list[Any]:
    return [
        pytest.param(mutation, [number, *name.encode()], id=f"{name} {number}")
        for name, mutation, count in listed
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven real records: three entries, the seeds of each in two of them, and those that set the targets."""
    runs_dir = tmp_path_factory.mktemp("trained") / "runs"
    X, y = load_wine(return_X_y=True)
    for seeds in ([0, 1, 2], [0, 1, 2, 3, 4]):
        bnbench.compare(
            ["none", "batch", "layer"],
            X,
            y,
            name="wine",
            seeds=seeds,
            model={"hidden": [8]},
            optimizer={"lr": 0.01},
            max_steps=40,
            eval_every_steps=10,
            runs_dir=runs_dir,
        )
    assert len(load_records(runs_dir).records) == 7
    return runs_dir


def board_of(runs_dir: Path, *, check_history: bool = True) -> Board:
    return score(load_records(runs_dir, check_history=check_history), level="all", curves=True)


def numbers(board: Board) -> dict[str, Any]:
    """Everything a board says but what it left out."""
    shown = board.to_dict()
    return {key: value for key, value in shown.items() if key not in ("skipped", "notes")}


@pytest.fixture(scope="module")
def sound(trained: Path) -> dict[str, Any]:
    return numbers(board_of(trained))


@pytest.fixture(scope="module")
def without(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Any]]:
    """The numbers of the board where one of the records is missing, by that record."""
    found = {}
    for record in load_records(trained).records:
        name = str(record.path.relative_to(trained))
        runs_dir = tmp_path_factory.mktemp("without") / "runs"
        shutil.copytree(trained, runs_dir)
        shutil.rmtree(runs_dir / name)
        found[name] = numbers(board_of(runs_dir))
    return found


def mutated(trained: Path, runs_dir: Path, mutation: Mutation, stream: np.random.Generator) -> str:
    """Copy the records, change one of them, and return its name."""
    shutil.copytree(trained, runs_dir)
    names = sorted(str(path.relative_to(runs_dir)) for path in runs_dir.glob("*/seeds-*"))
    name = names[int(stream.integers(len(names)))]
    mutation(runs_dir / name, stream)
    return name


def check_reports(board: Board) -> None:
    """Every format holds its own, whatever the names are."""
    for name, form in FORMATS.items():
        text = form(board)
        assert text.encode(errors="replace")
        assert "\x1b" not in text, name
        assert "\u202e" not in text, name
        if name == "html":
            assert "<script>alert(1)" not in text
    json.loads(FORMATS["json"](board))


def test_there_are_two_hundred_and_more() -> None:
    assert sum(count for *_, count in mutations.DAMAGES) >= 200


@pytest.mark.parametrize(("mutation", "seed"), cases(mutations.DAMAGES))
def test_a_damaged_record_gives_the_same_numbers_or_is_left_out_by_name(
    trained: Path,
    sound: dict[str, Any],
    without: Mapping[str, dict[str, Any]],
    tmp_path: Path,
    mutation: Mutation,
    seed: list[int],
) -> None:
    runs_dir = tmp_path / "runs"
    name = mutated(trained, runs_dir, mutation, np.random.default_rng(seed))
    board = board_of(runs_dir)
    check_reports(board)
    # the leaderboard leaves it to the scoring to read the histories
    assert numbers(board_of(runs_dir, check_history=False)) == numbers(board)
    left_out = {str(item.path) for item in board.skipped}
    if str(runs_dir / name) in left_out and numbers(board) != sound:
        assert numbers(board) == without[name]
    else:
        assert numbers(board) == sound


@pytest.mark.parametrize(("mutation", "seed"), cases(mutations.CONSISTENT))
def test_a_hostile_record_whose_checksums_fit_crashes_nothing_and_is_not_lost(
    trained: Path, tmp_path: Path, mutation: Mutation, seed: list[int]
) -> None:
    runs_dir = tmp_path / "runs"
    name = mutated(trained, runs_dir, mutation, np.random.default_rng(seed))
    folder = runs_dir / name
    files = {path: (folder / path).read_bytes() for path in ("run.json", "history.parquet")}
    (folder / SUMS_FILE).write_bytes(sums_text(files))
    runs = load_records(runs_dir)
    board = score(runs, level="all", curves=True)
    check_reports(board)
    read = {record.path for record in (*runs.records, *runs.failed)}
    named = {item.path for item in board.skipped}
    assert folder in read | named
    other = {record.path for record in runs.records} - {folder}
    assert len(other) == 6, "a record costs no other"


@pytest.mark.parametrize("name", mutations.HOSTILE_NAMES, ids=range(len(mutations.HOSTILE_NAMES)))
def test_the_names_of_a_record_lead_nowhere(trained: Path, tmp_path: Path, name: str) -> None:
    """Merged under hostile names, a record still lies in the folder it was merged into."""
    runs_dir, into = tmp_path / "runs", tmp_path / "deep" / "er" / "into"
    shutil.copytree(trained, runs_dir)
    folder = sorted(runs_dir.glob("*-batch-*/seeds-*"))[0]
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"dataset": name, "norm": name}))
    (folder / SUMS_FILE).unlink()
    before = {path for path in tmp_path.rglob("*") if into not in path.parents}

    main(["merge", str(runs_dir), "--into", str(into)])
    after = {path for path in tmp_path.rglob("*") if into not in path.parents}
    assert after - before == {tmp_path / "deep", tmp_path / "deep" / "er", into}
