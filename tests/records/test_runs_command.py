"""`python -m bnbench.runs`: what it tells is what lies there, merging loses and overwrites nothing, pruning asks."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import add_cells, cell_lock, load_records, read_experiment, run_ids, write_record
from bnbench.records.held_locks import held_locks
from bnbench.runs import main

Write = Callable[..., Path]
Make = Callable[..., Any]
Told = Callable[..., tuple[int, Any]]
LONG_AGO = time.time() - 10_000


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Run a command with --json; return its exit code and what it said."""

    def told(*words: object) -> tuple[int, Any]:
        code = main([*map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return told


@pytest.fixture
def fail(raw: Make, place: Make) -> Callable[..., Path]:
    """Write a failed record and return its folder."""

    def fail(runs_dir: Path, seeds: list[int], *, command: str = "python -m bnbench.train norm=batch") -> Path:
        record = raw(seeds, status="failed")
        record["environment"] |= {"command": command, "started_at": "2026-01-01T00:00:00+00:00"}
        folder: Path = place(runs_dir, record)
        write_record(folder, record, None)
        return folder

    return fail


def content(folder: Path) -> dict[str, tuple[bytes, float]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def numbers(*folders: Path) -> list[Any]:
    """What a board could be made of, wherever it lies."""
    runs = load_records(*folders)
    return sorted(
        (record.cell_id, entry["seed"], json.dumps(entry), str(record.history()["val_accuracy"].tolist()))
        for record in runs.records
        for entry in record.seeds
    )


def test_list_has_one_line_per_cell(tmp_path: Path, write: Write, told: Told) -> None:
    write(tmp_path, [0, 1])
    write(tmp_path, [2])
    write(tmp_path, [0], options={"eps": 1})
    code, data = told("list", tmp_path)
    assert code == 0
    assert sorted(cell["seeds"] for cell in data["cells"]) == [[0], [0, 1, 2]]
    assert {cell["status"] for cell in data["cells"]} == {"done"}


@pytest.mark.parametrize(("option", "value"), [("--dataset", "digits"), ("--norm", "batch"), ("--experiment", "demo")])
def test_list_shows_what_is_asked_for(tmp_path: Path, write: Write, told: Told, option: str, value: str) -> None:
    cell_id = write(tmp_path).parent.name[-12:]
    write(tmp_path, options={"eps": 1})
    add_cells(tmp_path, "demo", {cell_id: {"entry": "batch", "dataset": "digits", "seeds": [0, 1]}})
    _, data = told("list", tmp_path, option, value)
    assert len(data["cells"]) == (1 if option == "--experiment" else 2)


def test_a_name_that_is_not_there_is_bad_usage_with_the_nearest(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    assert main(["list", str(tmp_path), "--norm", "bacth"]) == 2
    assert "did you mean 'batch'?" in capsys.readouterr().err


def test_names_of_strangers_cannot_rewrite_a_terminal(
    tmp_path: Path, raw: Make, place: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    record = raw([0], status="failed")
    record["environment"]["command"] = "python \x1b[2J"
    record["error"]["message"] = "boom\x1b]0;title\x07"
    record["config"]["\x1b[31m"] = "\x1b[2J"
    write_record(place(tmp_path, record), record, None)
    for words in (["list"], ["status"], ["show", record["cell_id"]]):
        main([words[0], str(tmp_path), *words[1:]])
    assert "\x1b" not in capsys.readouterr().out


def test_show_has_configuration_seeds_and_environment(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path)
    assert main(["show", str(tmp_path), folder.parent.name[-12:-6]]) == 0
    by_id = capsys.readouterr().out
    assert main(["show", str(folder.parent)]) == 0
    assert capsys.readouterr().out == by_id
    for expected in ("budget.max_steps: 20", "0     finished  0.95", "python: 3.11", "hard 0.95"):
        assert expected in by_id


def test_a_beginning_of_two_ids_is_refused_by_name(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        write(tmp_path, options={"eps": number + 1})
    assert main(["show", str(tmp_path), "digits-batch"]) == 2
    assert "'digits-batch' means 2 cells; name one of them: digits-batch-" in capsys.readouterr().err
    assert main(["show", str(tmp_path), "zz"]) == 2
    assert "no cell of" in capsys.readouterr().err


def test_a_traceback_is_shown_when_asked_for(tmp_path: Path, fail: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fail(tmp_path, [0])
    main(["show", str(folder)])
    assert "Traceback" not in (short := capsys.readouterr().out)
    assert "ValueError: boom" in short
    main(["show", str(folder), "--traceback"])
    assert "Traceback ..." in capsys.readouterr().out


REASONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "the engine's version": lambda run: run["workload"].update(engine_version=2),
    "the prepared data": lambda run: run["workload"]["dataset"].update(checksum="0" * 64),
    "the norm's version": lambda run: run["entry"].update(version=2),
    "option optimizer.lr": lambda run: run["workload"]["optimizer"].update(lr=0.3),
    "option norm.eps": lambda run: run["entry"]["options"].update(eps=0.1),
}


@pytest.mark.parametrize("reason", REASONS)
def test_diff_says_why_two_cells_are_two(
    tmp_path: Path, raw: Make, table: Make, place: Make, told: Told, reason: str
) -> None:
    first, other = raw([0, 1]), raw([1, 2])
    REASONS[reason](other["identity"])
    other |= dict(zip(("cell_id", "workload_id"), run_ids(other["identity"]), strict=True))
    write_record(place(tmp_path, first), first, table([0, 1]))
    write_record(place(tmp_path, other), other, table([1, 2]))
    code, data = told("diff", tmp_path, first["cell_id"], other["cell_id"])
    assert code == 0
    (why,) = data["why_two_cells"]
    assert why.startswith(reason)
    assert data["results"]["common_seeds"] == data["results"]["identical_seeds"] == [1]


def test_diff_of_one_cell_in_two_folders_names_the_seeds_that_agree(tmp_path: Path, write: Write, told: Told) -> None:
    one, other = write(tmp_path / "a", [0, 1]), write(tmp_path / "b", [1, 2], offset=0.5)
    _, data = told("diff", one, other)
    assert data["same_cell"]
    assert (data["results"]["common_seeds"], data["results"]["identical_seeds"]) == ([1], [])


def test_status_tells_what_is_done_failed_and_unfinished(tmp_path: Path, write: Write, fail: Write, told: Told) -> None:
    cell = write(tmp_path, [0, 1]).parent
    fail(tmp_path, [2], command="python -m bnbench.train norm=batch seeds=3")
    write(tmp_path, [5], options={"eps": 1}).joinpath("run.json").unlink()
    add_cells(tmp_path, "demo", {cell.name[-12:]: {"entry": "batch", "dataset": "digits", "seeds": [0, 1, 2]}})
    code, data = told("status", tmp_path)
    assert code == 1
    assert data["seeds"] == 2
    assert data["experiments"] == {
        "demo": {"cells": 1, "cells_done": 0, "seeds": 3, "seeds_done": 2, "seeds_failed": 1}
    }
    (failure,) = data["failures"]
    assert failure["seeds"] == [2]
    assert failure["message"] == "ValueError: boom"
    assert failure["again"] == "python -m bnbench.train norm=batch seeds=3"
    assert len(data["unfinished"]) == 1


def test_status_of_sound_runs_is_fine(tmp_path: Path, write: Write, told: Told) -> None:
    write(tmp_path)
    code, data = told("status", tmp_path)
    assert (code, data["cells_done"], data["failures"]) == (0, 1, [])


def test_a_failure_whose_seeds_are_trained_since_is_none(tmp_path: Path, write: Write, fail: Write, told: Told) -> None:
    fail(tmp_path, [0, 1])
    write(tmp_path, [0])
    write(tmp_path, [1])
    assert told("status", tmp_path)[0] == 0


def test_status_names_who_trains_a_cell_elsewhere(tmp_path: Path, write: Write, told: Told) -> None:
    folder = write(tmp_path)
    (folder / "run.json").unlink()
    holder = Path(__file__).with_name("hold_lock.py")
    with subprocess.Popen(
        [sys.executable, holder, folder.parent, "60"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        _, data = told("status", tmp_path)
        (training,) = data["training"]
        assert (training["name"], training["process"]) == (folder.parent.name[-12:], process.pid)
        assert data["unfinished"] == []  # it is being trained
        assert told("prune", tmp_path, "--yes")[1]["to_remove"] == []
        process.kill()
    (lock,) = held_locks(tmp_path)
    assert not lock.alive
    _, data = told("status", tmp_path)
    assert (data["training"], len(data["unfinished"])) == ([], 1)


def test_status_reads_the_notes_of_the_newest_sweep(tmp_path: Path, told: Told) -> None:
    for name, refusal in (("20260101T000000Z-aaaaaa", "old"), ("20260201T000000Z-bbbbbb", "no such file")):
        (tmp_path / "sweeps" / name).mkdir(parents=True)
        note = {"job": 0, "command": "python -m bnbench.train dataset=file", "cells": [], "refusal": refusal}
        (tmp_path / "sweeps" / name / "0.json").write_text(json.dumps(note))
    (tmp_path / "sweeps" / name / "1.json").write_text("{")  # half a note costs nothing
    code, data = told("status", tmp_path)
    assert code == 1
    assert data["sweep"] == {
        "name": name,
        "jobs": 2,
        "num_jobs": None,
        "num_cells": None,
        "refusals": [{"reason": "no such file", "command": "python -m bnbench.train dataset=file"}],
    }


def test_merge_is_the_union_and_changes_no_source(tmp_path: Path, write: Write, fail: Write, told: Told) -> None:
    one, two, into = (tmp_path / name for name in ("one", "two", "into"))
    cell_id = write(one, [0, 1]).parent.name[-12:]
    write(one, [7], options={"eps": 1})
    write(two, [0, 1])
    write(two, [2, 3])
    fail(two, [9])
    for folder, seeds in ((one, [0, 1]), (two, [2, 3])):
        add_cells(folder, "demo", {cell_id: {"entry": "batch", "dataset": "digits", "seeds": seeds}})
        (folder / "targets").mkdir()
        (folder / "targets" / "abc.json").write_text('{"easy": 1}')
    before = content(one), content(two)
    code, data = told("merge", one, two, "--into", into)
    assert (code, data["conflicts"], data["left_out"]) == (0, [], [])
    assert (content(one), content(two)) == before
    assert numbers(into) == numbers(one, two)
    assert load_records(into).copies == []
    assert len(load_records(into).failed) == 1
    assert read_experiment(into, "demo")[cell_id]["seeds"] == [0, 1, 2, 3]
    assert (into / "targets" / "abc.json").read_text() == '{"easy": 1}'
    merged = content(into)
    _, again = told("merge", one, two, "--into", into)
    assert (again["copied"], again["other_files"]) == ([], [])
    assert content(into) == merged


def test_a_whole_record_is_copied_bit_for_bit(tmp_path: Path, write: Write, told: Told) -> None:
    folder = write(tmp_path / "one")
    told("merge", tmp_path / "one", "--into", tmp_path / "into")
    copied = tmp_path / "into" / folder.relative_to(tmp_path / "one")
    for name in ("run.json", "history.parquet"):
        assert (copied / name).read_bytes() == (folder / name).read_bytes()


def test_a_conflict_is_reported_and_nothing_overwritten(tmp_path: Path, write: Write, told: Told) -> None:
    write(tmp_path / "one", [0, 1], offset=0.5)
    write(tmp_path / "into", [0, 1])
    before = content(tmp_path / "into")
    code, data = told("merge", tmp_path / "one", "--into", tmp_path / "into")
    assert code == 1
    (conflict,) = data["conflicts"]
    assert "seeds 0–1 have other results" in conflict
    assert {name: both for name, both in content(tmp_path / "into").items() if ".locks" not in name} == before


def test_new_seeds_beside_held_ones_are_not_lost(tmp_path: Path, write: Write, told: Told) -> None:
    write(tmp_path / "one", [1, 2, 3])
    write(tmp_path / "into", [0, 1])
    code, _ = told("merge", tmp_path / "one", "--into", tmp_path / "into")
    assert code == 0
    assert numbers(tmp_path / "into") == numbers(tmp_path / "into", tmp_path / "one")
    assert [seed for _, seed, *_ in numbers(tmp_path / "into")] == [0, 1, 2, 3]


def test_what_cannot_be_merged_is_named(tmp_path: Path, write: Write, told: Told) -> None:
    folder = write(tmp_path / "one")
    (folder / "run.json").write_text("{")
    write(tmp_path / "one", [5]).joinpath("run.json").unlink()
    (tmp_path / "one" / "experiments").mkdir()
    (tmp_path / "one" / "experiments" / "demo.json").write_text("{")
    code, data = told("merge", tmp_path / "one", "--into", tmp_path / "into")
    assert code == 1
    assert any(str(folder) in item for item in data["left_out"])
    assert any("demo.json" in item for item in data["left_out"])
    assert len(data["unfinished"]) == 1


def test_targets_that_differ_are_a_conflict(tmp_path: Path, told: Told) -> None:
    for name, easy in (("one", 1), ("into", 2)):
        (tmp_path / name / "targets").mkdir(parents=True)
        (tmp_path / name / "targets" / "abc.json").write_text(f'{{"easy": {easy}}}')
    code, data = told("merge", tmp_path / "one", "--into", tmp_path / "into")
    assert (code, len(data["conflicts"])) == (1, 1)
    assert (tmp_path / "into" / "targets" / "abc.json").read_text() == '{"easy": 2}'


@pytest.mark.parametrize("place_of_link", ["costs/a.json", "targets/a.json", "costs"])
def test_merge_gives_away_nothing_that_a_link_points_to(
    tmp_path: Path, write: Write, told: Told, place_of_link: str
) -> None:
    write(tmp_path / "theirs", [0, 1])
    private = tmp_path / "private"
    private.mkdir()
    (private / "a.json").write_text('{"password": "mine"}')
    link = tmp_path / "theirs" / place_of_link
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(private if link.suffix == "" else private / "a.json")
    code, said = told("merge", tmp_path / "theirs", "--into", tmp_path / "ours")
    assert code == 1
    (left_out,) = said["left_out"]
    assert left_out.startswith(str(link))
    assert "links are not followed" in left_out
    assert not list((tmp_path / "ours").rglob("a.json"))
    assert len(said["copied"]) == 1


@pytest.mark.parametrize("into", [".", "inside", ".."])
def test_folders_within_each_other_are_not_merged(tmp_path: Path, write: Write, into: str) -> None:
    write(tmp_path / "one")
    assert main(["merge", str(tmp_path / "one"), "--into", str(tmp_path / "one" / into)]) == 2


def test_merging_leaves_a_cell_alone_that_is_trained_there(tmp_path: Path, write: Write, told: Told) -> None:
    write(tmp_path / "one", [1])
    there = write(tmp_path / "into", [0]).parent
    with cell_lock(there):
        code, data = told("merge", tmp_path / "one", "--into", tmp_path / "into")
    assert code == 1
    assert "another process trains this cell" in data["left_out"][0]
    assert told("merge", tmp_path / "one", "--into", tmp_path / "into")[0] == 0


def garbage(runs_dir: Path, write: Write, fail: Write) -> set[Path]:
    """Sound records with one of each thing that may be pruned beside them."""
    sound = write(runs_dir, [0, 1])
    fail(runs_dir, [0])
    failed = next(record.path for record in load_records(runs_dir).failed)
    unfinished = write(runs_dir, [9])
    (unfinished / "run.json").unlink()
    copy = write(runs_dir, [1])
    temporary = sound / ".run.json.1-ab.tmp"
    lock = runs_dir / ".locks" / "0123456789ab.lock"
    lock.parent.mkdir(exist_ok=True)
    for old in (temporary, lock):
        old.write_text("x")
        os.utime(old, (LONG_AGO, LONG_AGO))
    return {failed, unfinished, copy, temporary, lock}


def test_prune_removes_what_nobody_needs_and_no_number(tmp_path: Path, write: Write, fail: Write, told: Told) -> None:
    expected = garbage(tmp_path, write, fail)
    before = numbers(tmp_path)
    code, data = told("prune", tmp_path, "--yes")
    assert code == 0
    assert set(map(Path, data["removed"])) == expected
    assert not any(path.exists() for path in expected)
    assert numbers(tmp_path) == before
    assert told("status", tmp_path)[0] == 0


def test_prune_without_a_terminal_removes_nothing(
    tmp_path: Path, write: Write, fail: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    garbage(tmp_path, write, fail)
    before = content(tmp_path)
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main(["prune", str(tmp_path)]) == 2
    assert "repeat with --yes" in capsys.readouterr().err
    assert content(tmp_path) == before


@pytest.mark.parametrize(("answer", "removed"), [("y", True), ("yes", True), ("", False), ("n", False)])
def test_prune_asks_at_a_terminal(
    tmp_path: Path, write: Write, fail: Write, monkeypatch: pytest.MonkeyPatch, answer: str, removed: bool
) -> None:
    garbage(tmp_path, write, fail)
    before = content(tmp_path)
    theirs, ours = os.openpty()
    os.write(theirs, f"{answer}\n".encode())
    with os.fdopen(ours) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert main(["prune", str(tmp_path)]) == 0
    os.close(theirs)
    assert (content(tmp_path) != before) is removed


def test_prune_keeps_conflicts_damage_and_what_is_somebodys_own(tmp_path: Path, write: Write, told: Told) -> None:
    write(tmp_path, [0, 1])
    write(tmp_path, [1], offset=0.5)
    damaged = write(tmp_path, [4])
    (damaged / "history.parquet").unlink()
    own = write(tmp_path, [5])
    (own / "run.json").unlink()
    (own / "notes.txt").write_text("mine")
    elsewhere = tmp_path / "mine" / "seeds-of-tomatoes"
    elsewhere.mkdir(parents=True)
    before = content(tmp_path)
    _, data = told("prune", tmp_path, "--yes")
    assert data["to_remove"] == []
    assert len(data["stays"]) == 4
    assert content(tmp_path) == before
    assert elsewhere.exists()


def test_prune_follows_no_link(tmp_path: Path, write: Write, told: Told) -> None:
    runs_dir, outside = tmp_path / "runs", tmp_path / "outside"
    unfinished = write(outside, [3])
    (unfinished / "run.json").unlink()
    cell = write(runs_dir, [0]).parent
    (cell / unfinished.name).symlink_to(unfinished)
    (runs_dir / f"other-{cell.name}").symlink_to(unfinished.parent)
    within = write(runs_dir, [4])
    (within / "run.json").unlink()
    (within / "history.parquet").unlink()
    (within / ".x.tmp").symlink_to(outside)
    before = content(outside)
    _, data = told("prune", runs_dir, "--yes")
    assert list(map(Path, data["removed"])) == [within]
    assert content(outside) == before


def test_a_copy_is_kept_where_the_original_says_something_else(tmp_path: Path, write: Write, told: Told) -> None:
    write(tmp_path, [0, 1])
    other = write(tmp_path, [1]) / "run.json"
    changed = json.loads(other.read_text())
    changed["targets"]["hard"] = 0.99
    other.with_name("SHA256SUMS").unlink()
    other.write_text(json.dumps(changed))
    assert told("prune", tmp_path, "--yes")[1]["to_remove"] == []


def test_a_copied_cell_folder_is_pruned_once(tmp_path: Path, write: Write, told: Told) -> None:
    cell = write(tmp_path, [0, 1]).parent
    shutil.copytree(cell, cell.with_name(f"copy-{cell.name}"))
    before = {seed for _, seed, *_ in numbers(tmp_path)}
    _, data = told("prune", tmp_path, "--yes")
    assert len(data["removed"]) == 1
    assert {seed for _, seed, *_ in numbers(tmp_path)} == before
    assert sum(path.is_dir() for path in tmp_path.glob("*-batch-*")) == 1


@pytest.mark.parametrize("words", [[], ["lists"], ["show"], ["merge", "one"], ["diff", "a", "b", "c", "d"]])
def test_bad_usage_is_told_with_code_2(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code: Any = main(words)
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2


def test_a_folder_that_is_not_there_is_an_error_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(tmp_path / "nowhere")]) == 1
    assert "nowhere does not exist" in capsys.readouterr().err
