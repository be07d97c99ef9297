"""One bad file never costs another record, and whatever does not count is named."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bnbench.errors import UserError
from bnbench.records import Skipped, finished_seeds, load_records, unfinished_folders
from bnbench.records.check import read_json
from bnbench.records.history import to_bytes

Write = Callable[..., Path]
Make = Callable[..., Any]


def damage_json(folder: Path, old: bytes, new: bytes) -> None:
    path = folder / "run.json"
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def only_skipped(runs_dir: Path) -> Skipped:
    runs = load_records(runs_dir)
    (skipped,) = runs.skipped
    return skipped


def test_a_record_reads_back_as_it_was_written(tmp_path: Path, write: Write, raw: Make, table: Make) -> None:
    folder = write(tmp_path, [0, 5])
    (record,) = load_records(tmp_path).records
    assert record.raw == raw([0, 5])
    assert {name: getattr(record, name) for name in record.raw} == record.raw
    assert record.path == folder
    history = record.history()
    assert list(history) == table([0]).column_names
    np.testing.assert_array_equal(history["seed"], [0, 0, 0, 5, 5, 5])
    np.testing.assert_array_equal(history["train_loss"], [np.nan, 2 / 11, 2 / 21] * 2)


@pytest.mark.parametrize("level", ["runs", "cell", "record"])
def test_a_runs_folder_a_cell_or_a_record_can_be_named(tmp_path: Path, write: Write, level: str) -> None:
    folder = write(tmp_path / "runs")
    path = {"runs": tmp_path / "runs", "cell": folder.parent, "record": folder}[level]
    assert [record.path for record in load_records(path).records] == [folder]


def test_a_folder_reached_by_two_paths_counts_once(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "runs")
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    runs = load_records(tmp_path / "runs", str(folder.parent), tmp_path / "link")
    assert len(runs.records) == 1
    assert runs.copies == []


def test_several_runs_folders_are_read_together(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "one", [0])
    write(tmp_path / "two", [1])
    assert [record.seeds[0]["seed"] for record in load_records(tmp_path / "one", tmp_path / "two").records] == [0, 1]


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere does not exist; expected a folder of runs"):
        load_records(tmp_path / "nowhere")


def test_a_path_that_is_a_file_is_an_error(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UserError, match=r"run\.json is not a folder"):
        load_records(write(tmp_path) / "run.json")


def test_an_empty_runs_folder_holds_nothing_and_hides_nothing(tmp_path: Path) -> None:
    runs = load_records(tmp_path)
    assert (runs.records, runs.skipped) == ([], [])


@pytest.mark.parametrize("name", ["experiments", "sweeps", "targets", ".locks", ".git"])
def test_other_folders_of_ours_are_no_cells(tmp_path: Path, write: Write, name: str) -> None:
    write(tmp_path)
    (tmp_path / name / "seeds-0-1-x").mkdir(parents=True)
    assert load_records(tmp_path).skipped == []


def test_a_folder_that_is_no_cell_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    assert only_skipped(tmp_path) == Skipped(
        tmp_path / "notes", "holds no seeds-... folder: not a cell, or one killed before its first run"
    )


def test_a_folder_without_run_json_is_unfinished(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path)
    (folder / "run.json").unlink()
    assert only_skipped(tmp_path) == Skipped(folder, "unfinished: no run.json (killed, or still training)", True)


DAMAGES: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "history missing": (
        lambda folder: (folder / "history.parquet").unlink(),
        "unfinished: history.parquet is missing",
        True,
    ),
    "history truncated": (
        lambda folder: os.truncate(folder / "history.parquet", 500),
        "unfinished: history.parquet is damaged or truncated",
        True,
    ),
    "rows disagree": (
        lambda folder: damage_json(folder, b'"rows": 6', b'"rows": 7'),
        "unfinished: history.parquet holds 6 rows, run.json says 7",
        True,
    ),
    "run.json empty": (lambda folder: os.truncate(folder / "run.json", 0), "run.json is not valid JSON", False),
    "run.json truncated": (lambda folder: os.truncate(folder / "run.json", 700), "run.json is not valid JSON", False),
    "bit flipped in a brace": (
        lambda folder: damage_json(folder, b"{", b"["),
        "run.json is not valid JSON",
        False,
    ),
    "bit flipped in a key": (
        lambda folder: damage_json(folder, b'"metric"', b'"metrib"'),
        "run.json is not a record: metric is missing (and 1 more problems)",
        False,
    ),
    "bit flipped in the identity": (
        lambda folder: damage_json(folder, b'"lr": 0.1', b'"lr": 0.3'),
        "run.json is not a record: cell_id is",
        False,
    ),
    "not UTF-8": (lambda folder: damage_json(folder, b"digits", b"digit\xff"), "run.json is not valid JSON", False),
    "half a surrogate pair": (
        lambda folder: damage_json(folder, b'"python": "3.11"', b'"python": "\\ud800"'),
        "run.json is not valid JSON: 'utf-8' codec can't encode",
        False,
    ),
    "NaN": (
        lambda folder: damage_json(folder, b'"max_loss": 2.0', b'"max_loss": NaN'),
        "run.json is not valid JSON: NaN is not JSON; a number that is not finite is written as null",
        False,
    ),
    "a float beyond all floats": (
        lambda folder: damage_json(folder, b'"max_loss": 2.0', b'"max_loss": 1e999'),
        "run.json is not valid JSON: 1e999 is larger than any float",
        False,
    ),
    "an integer of a million digits": (
        lambda folder: damage_json(folder, b'"rows": 6', b'"rows": ' + b"9" * 10**6),
        "run.json is not valid JSON: an integer of 1000000 digits; at most 309 are read",
        False,
    ),
    "an integer beyond 64 bits": (
        lambda folder: damage_json(folder, b'"rows": 6', b'"rows": ' + b"9" * 30),
        "run.json is not a record: rows is 999",
        False,
    ),
    "nested without end": (
        lambda folder: (folder / "run.json").write_bytes(b"[" * 10**6),
        "run.json is not valid JSON: nested too deep",
        False,
    ),
    "a list": (lambda folder: (folder / "run.json").write_bytes(b"[1]"), "run.json holds a list; expected an", False),
    "a folder": (
        lambda folder: ((folder / "run.json").unlink(), (folder / "run.json").mkdir()),
        "run.json is not a plain file",
        False,
    ),
    "a named pipe": (
        lambda folder: ((folder / "run.json").unlink(), os.mkfifo(folder / "run.json")),
        "run.json is not a plain file",
        False,
    ),
    "a newer schema": (
        lambda folder: damage_json(folder, b'"schema_version": 1', b'"schema_version": 2'),
        "run.json has schema_version 2, this bnbench reads up to 1: written by a newer bnbench; upgrade to read it",
        False,
    ),
    "a terminal escape": (
        lambda folder: damage_json(folder, b'"entry": "batch"', b'"entry": "\\u001b[2J"'),
        "run.json is not a record: entry is '\\x1b[2J'",
        False,
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_record_is_named_and_costs_no_other(tmp_path: Path, write: Write, name: str) -> None:
    damage, reason, unfinished = DAMAGES[name]
    sound, broken = write(tmp_path, [8]), write(tmp_path, [0, 1])
    damage(broken)
    runs = load_records(tmp_path)
    assert [record.path for record in runs.records] == [sound]
    (skipped,) = runs.skipped
    assert skipped.path == broken
    assert skipped.reason.startswith(reason)
    assert skipped.unfinished is unfinished
    assert finished_seeds(broken.parent) == {8}
    assert unfinished_folders(broken.parent) == ([broken] if unfinished else [])


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "run.json").touch()
    os.truncate(tmp_path / "run.json", 2**40)  # a sparse terabyte
    assert read_json(tmp_path / "run.json") == "run.json has 1099511627776 bytes; at most 67108864 are read"


def unsummed(folder: Path) -> Path:
    """A record as those are that were written before records had checksums, or by another program."""
    (folder / "SHA256SUMS").unlink()
    return folder


def rewrite_history(folder: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    path = folder / "history.parquet"
    table = pq.read_table(path)
    columns = table.to_pydict()
    change(columns)
    path.write_bytes(to_bytes(type(table).from_pydict(columns, schema=table.schema)))


@pytest.mark.parametrize(
    ("column", "row", "value", "reason"),
    [
        ("seed", 0, 7, "history.parquet holds the seeds 0, 1, 7, run.json 0, 1"),
        ("step", 0, 5, "history.parquet has no row at step 0 for seed 0"),
        ("step", 3, -10, "history.parquet has no row at step 0 for seed 1"),
        ("step", 4, 20, "history.parquet holds two rows of one seed and step"),
        ("step", 1, None, "history.parquet has rows without a seed, step or number of samples"),
    ],
)
def test_rows_that_cannot_be_are_unfinished(
    tmp_path: Path, write: Write, column: str, row: int, value: int | None, reason: str
) -> None:
    folder = write(tmp_path, [0, 1])
    rewrite_history(folder, lambda columns: columns[column].__setitem__(row, value))
    assert only_skipped(tmp_path) == Skipped(folder, f"unfinished: {reason}", True)


def test_rows_in_another_order_are_the_same_record(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path, [0, 1])
    rewrite_history(unsummed(folder), lambda columns: [column.reverse() for column in columns.values()] and None)
    assert len(load_records(tmp_path).records) == 1


@pytest.mark.parametrize(("died", "counts"), [(0, False), (10, False), (20, False), (21, True)])
def test_a_seed_has_no_rows_from_its_divergence_on(tmp_path: Path, write: Write, died: int, counts: bool) -> None:
    folder = unsummed(write(tmp_path, [0]))
    record = json.loads((folder / "run.json").read_text())
    record["seeds"][0] |= {"status": "diverged", "diverged_at_step": died}
    (folder / "run.json").write_text(json.dumps(record))
    assert bool(load_records(tmp_path).records) is counts


def test_without_the_history_check_only_run_json_is_read(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path)
    (folder / "history.parquet").write_bytes(b"")
    (record,) = load_records(tmp_path, check_history=False).records
    with pytest.raises(UserError, match=r"seeds-0-1-\w+: history\.parquet conflicts with SHA256SUMS"):
        record.history()


def test_a_hostile_name_is_kept_as_text(tmp_path: Path, raw: Make, place: Make) -> None:
    record = raw([0]) | {"entry": "<script>alert(1)</script>", "dataset": "../../etc", "norm": "a/b"}
    folder = place(tmp_path / "runs", record)
    assert folder.parent.parent == tmp_path / "runs"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    (read,) = load_records(tmp_path / "runs", check_history=False).records
    assert (read.entry, read.dataset) == ("<script>alert(1)</script>", "../../etc")


def test_a_failed_record_is_kept_apart_and_finishes_no_seed(tmp_path: Path, raw: Make, place: Make) -> None:
    record = raw([0, 1], status="failed")
    folder = place(tmp_path, record)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    runs = load_records(tmp_path)
    assert (runs.records, runs.skipped) == ([], [])
    (failed,) = runs.failed
    assert failed.error == {"type": "ValueError", "message": "boom", "traceback": "Traceback ..."}
    assert all(len(column) == 0 for column in failed.history().values())
    assert finished_seeds(folder.parent) == set()


def test_finished_seeds_are_united_over_the_records_of_a_cell(tmp_path: Path, write: Write) -> None:
    cell = write(tmp_path, [0, 1]).parent
    write(tmp_path, [2, 5])
    assert finished_seeds(cell) == {0, 1, 2, 5}


def test_a_cell_that_was_never_begun_has_no_finished_seeds(tmp_path: Path) -> None:
    assert finished_seeds(tmp_path / "digits-batch-0123456789ab") == set()


def test_a_record_of_another_cell_finishes_nothing(tmp_path: Path, write: Write) -> None:
    other = write(tmp_path, [0], options={"eps": 1})
    cell = write(tmp_path, [1]).parent
    shutil.copytree(other, cell / other.name)
    assert finished_seeds(cell) == {1}


def test_an_identical_copy_counts_once(tmp_path: Path, write: Write) -> None:
    first = write(tmp_path / "one", [0, 1])
    second = tmp_path / "two" / first.relative_to(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    runs = load_records(tmp_path / "one", tmp_path / "two")
    assert [record.path for record in runs.records] == [first]
    assert runs.conflicts == []
    (copy,) = runs.copies
    assert (copy.kept, copy.path, copy.seeds, copy.identical) == (first, second, (0, 1), True)


def test_copies_trained_at_different_times_are_identical_if_their_results_are(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "one", [0])
    second = unsummed(write(tmp_path / "two", [0]))
    damage_json(second, b'"train_seconds": 1.5', b'"train_seconds": 9.5')
    runs = load_records(tmp_path / "one", tmp_path / "two")
    assert (len(runs.copies), len(runs.conflicts)) == (1, 0)


@pytest.mark.parametrize("differs", ["history", "outcome"])
def test_a_conflict_is_reported_with_both_places(tmp_path: Path, write: Write, differs: str) -> None:
    first = write(tmp_path / "one", [0, 1])
    second = write(tmp_path / "two", [0, 1], offset=0.1 if differs == "history" else 0.0)
    if differs == "outcome":
        damage_json(unsummed(second), b'"test_accuracy": 0.9', b'"test_accuracy": 0.8')
    runs = load_records(tmp_path / "one", tmp_path / "two")
    assert [record.path for record in runs.records] == [first]
    (conflict,) = runs.conflicts
    assert conflict.seeds == ((0, 1) if differs == "history" else (0,))
    assert (conflict.kept, conflict.path) == (first, second)
    assert str(first) in conflict.reason
    assert "CONFLICT: the results differ" in conflict.reason


def test_a_record_keeps_the_seeds_that_no_other_holds(tmp_path: Path, write: Write) -> None:
    write(tmp_path, [0, 1])
    write(tmp_path, [1, 2, 3])
    runs = load_records(tmp_path)
    assert [[entry["seed"] for entry in record.seeds] for record in runs.records] == [[0, 1], [2, 3]]
    np.testing.assert_array_equal(np.unique(runs.records[1].history()["seed"]), [2, 3])
    assert [copy.seeds for copy in runs.copies] == [(1,)]


def test_the_same_seed_of_two_cells_is_no_overlap(tmp_path: Path, write: Write) -> None:
    write(tmp_path, [0])
    write(tmp_path, [0], options={"eps": 1})
    runs = load_records(tmp_path)
    assert len(runs.records) == 2
    assert runs.copies == runs.conflicts == []


@pytest.mark.parametrize(
    ("file", "old", "new", "unfinished"),
    [
        ("run.json", b'"test_accuracy": 0.9', b'"test_accuracy": 0.8', False),
        ("run.json", b'"hard": 0.95', b'"hard": 0.96', False),
        ("run.json", b'"train_seconds": 1.5', b'"train_seconds":  1.5', False),
        ("history.parquet", b"PAR1", b"PAR2", True),
    ],
)
def test_what_was_changed_since_it_was_written_is_named(
    tmp_path: Path, write: Write, file: str, old: bytes, new: bytes, unfinished: bool
) -> None:
    folder = write(tmp_path)
    content = (folder / file).read_bytes()
    assert old in content
    (folder / file).write_bytes(content.replace(old, new, 1))
    skipped = only_skipped(tmp_path)
    assert (skipped.path, skipped.unfinished) == (folder, unfinished)
    if file == "run.json":
        assert skipped.reason.startswith("run.json conflicts with SHA256SUMS beside it: it was changed or damaged")
    assert finished_seeds(folder.parent) == set()


@pytest.mark.parametrize(
    "sums", [b"", b"\xff", b"0" * 64 + b"  run.json\n", b"0" * 64 + b"  ../../etc/passwd\n", b"x" * 5000]
)
def test_checksums_that_are_none_are_named(tmp_path: Path, write: Write, sums: bytes) -> None:
    folder = write(tmp_path)
    (folder / "SHA256SUMS").write_bytes(sums)
    assert "SHA256SUMS" in only_skipped(tmp_path).reason


def test_the_checksums_are_those_of_sha256sum(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)


def test_a_record_without_checksums_is_read_as_it_is(tmp_path: Path, write: Write) -> None:
    assert [record.path for record in load_records(unsummed(write(tmp_path)).parent).records] != []


def test_a_history_of_a_terabyte_is_refused_unread(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path)
    os.truncate(folder / "history.parquet", 2**40)
    assert "history.parquet has 1099511627776 bytes; 6 rows take at most" in only_skipped(tmp_path).reason


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["run.json", "history.parquet", "SHA256SUMS"])
@pytest.mark.parametrize("harm", [_flip, lambda path: path.write_bytes(path.read_bytes()[:-9]), Path.unlink])
def test_what_is_harmed_between_two_readings_of_a_process_is_noticed(
    name: str, harm: Callable[[Path], object], tmp_path: Path, write: Callable[..., Path]
) -> None:
    folder = write(tmp_path)
    written = (folder / name).read_bytes()
    assert len(load_records(tmp_path).records) == len(load_records(tmp_path).records) == 1
    harm(folder / name)
    # a record without SHA256SUMS, as older versions wrote them, is read as it is
    sound = name == "SHA256SUMS" and not (folder / name).exists()
    assert [len(load_records(tmp_path).records) for _ in range(2)] == [sound, sound]
    (folder / name).write_bytes(written)
    assert len(load_records(tmp_path).records) == 1
