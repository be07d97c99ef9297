"""Full disks, folders that cannot be written, records that are none: each says what to do and leaves nothing wrong."""

import os
import resource
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnbench.errors import UserError
from bnbench.records import Record, Skipped, begin_record, load_records, remove_unfinished, write_record
from bnbench.records.check import read_record

Write = Callable[..., Path]
Make = Callable[..., Any]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes: a disk that is full for every user, root included."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system in memory with the options given, and again with others; needs root."""
    point = tmp_path / "mounted"
    point.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        first = ["-t", "tmpfs", "tmpfs"] if not mounted else []
        prefix = "remount," if mounted else ""
        result = subprocess.run(
            ["mount", "-o", prefix + options, *first, str(point)], capture_output=True, text=True, check=False
        )
        if result.returncode and not mounted:
            reason = f"file systems cannot be mounted here: {result.stderr.strip()}"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        assert not result.returncode, result.stderr
        mounted = True
        return point

    yield mount
    if mounted:
        subprocess.run(["umount", str(point)], check=True)


def assert_recognisably_unfinished(folder: Path) -> None:
    found = read_record(folder)
    assert isinstance(found, Skipped)
    assert found.unfinished
    assert not list(folder.glob(".*")), "temporary files were left"


@pytest.mark.parametrize(("limit", "file"), [(1_000, "history.parquet"), (10_000, "run.json")])
def test_a_full_disk_is_said_and_leaves_no_part(
    tmp_path: Path, raw: Make, table: Make, place: Make, limit: int, file: str
) -> None:
    record = raw([0, 1]) | {"environment": {"notes": "x" * 20_000}}
    folder = place(tmp_path, record)
    begin_record(folder)
    with (
        file_size_limit(limit),
        pytest.raises(UserError, match=rf"{file} cannot be written \(File too large\): free some"),
    ):
        write_record(folder, record, table([0, 1]))
    assert_recognisably_unfinished(folder)
    write_record(folder, record, table([0, 1]))
    assert isinstance(read_record(folder), Record)


@pytest.mark.parametrize(
    ("steps", "file", "pages"), [(2_000, "history.parquet", 1), (2, "SHA256SUMS", 1), (2, "run.json", 2)]
)
def test_a_device_without_space_is_said_and_leaves_no_part(
    mount: Callable[[str], Path], raw: Make, table: Make, place: Make, steps: int, file: str, pages: int
) -> None:
    runs_dir = mount(f"size={4 * pages}k")
    record = raw([0]) | {"rows": steps, "environment": {"notes": "x" * 5_000}}
    folder = place(runs_dir, record)
    begin_record(folder)
    with pytest.raises(
        UserError, match=rf"{file} cannot be written \(No space left on device\): free some space or set"
    ):
        write_record(folder, record, table([0], steps=range(steps)))
    assert_recognisably_unfinished(folder)
    mount("size=4m")
    write_record(folder, record, table([0], steps=range(steps)))
    assert isinstance(read_record(folder), Record)


def test_a_folder_turned_read_only_is_said_and_stays_as_it_is(
    mount: Callable[[str], Path], raw: Make, table: Make, place: Make
) -> None:
    runs_dir = mount("size=1m")
    failed = raw([0], status="failed")
    folder = place(runs_dir, failed)
    write_record(folder, failed, None)
    mount("ro,size=1m")
    with pytest.raises(
        UserError, match=r"cannot be written \(Read-only file system\): make the folder writable or set"
    ):
        write_record(folder, raw([0]), table([0]))
    assert [record.path for record in load_records(runs_dir).failed] == [folder]


def test_a_folder_that_nobody_can_write_is_refused_before_training(place: Make, raw: Make) -> None:
    """/sys takes no new folder from any user, root included."""
    with pytest.raises(UserError, match=r"cannot be written \([\w -]+\): make the folder writable or set runs_dir"):
        begin_record(place(Path("/sys/kernel/bnbench"), raw([0])))


def test_a_file_where_a_folder_is_needed_is_refused_before_training(tmp_path: Path, place: Make, raw: Make) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\): a file lies where a folder is needed"):
        begin_record(place(tmp_path / "runs", raw([0])))


def test_a_begun_record_is_evidence(tmp_path: Path, place: Make, raw: Make) -> None:
    folder = place(tmp_path, raw([0]))
    begin_record(folder)
    (skipped,) = load_records(tmp_path).skipped
    assert (skipped.path, skipped.unfinished) == (folder, True)


def test_a_finished_record_with_a_damaged_history_is_repaired(
    tmp_path: Path, write: Write, raw: Make, table: Make
) -> None:
    folder = write(tmp_path, [0])
    os.truncate(folder / "history.parquet", 100)
    write_record(folder, raw([0]), table([0]))
    assert isinstance(read_record(folder), Record)


def test_the_same_results_leave_a_finished_record_untouched(
    tmp_path: Path, write: Write, raw: Make, table: Make
) -> None:
    folder = write(tmp_path, [0])
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = raw([0]) | {"timing": {"train_seconds": 99.0, "replicas": 1, "steps": 20}}
    assert write_record(folder, again, table([0])).timing["train_seconds"] == 1.5
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_other_results_never_overwrite_a_finished_record(tmp_path: Path, write: Write, raw: Make, table: Make) -> None:
    folder = write(tmp_path, [0])
    before = (folder / "history.parquet").read_bytes()
    with pytest.raises(UserError, match="already holds a finished record with other results"):
        write_record(folder, raw([0]), table([0], offset=0.1))
    assert (folder / "history.parquet").read_bytes() == before


def test_a_failure_never_overwrites_a_finished_record(tmp_path: Path, write: Write, raw: Make) -> None:
    folder = write(tmp_path, [0])
    with pytest.raises(UserError, match="already holds a finished record"):
        write_record(folder, raw([0], status="failed"), None)
    assert isinstance(read_record(folder), Record)


def test_a_failed_record_leaves_no_older_history(tmp_path: Path, write: Write, raw: Make) -> None:
    folder = write(tmp_path, [0])
    (folder / "run.json").unlink()
    write_record(folder, raw([0], status="failed"), None)
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "run.json"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"rows": 4}, r"history\.parquet holds 3 rows, run\.json says 4"),
        ({"track": "other"}, "not a valid record: track is 'other'"),
        (
            {"environment": {"bits": 2**2000}},
            r"not a valid record: run\.json is not valid JSON: an integer of 603 digits",
        ),
        ({"metric": {"name": "loss", "direction": "min", "trivial": 1.0}}, r"metric\.name is 'loss'"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(
    tmp_path: Path, raw: Make, table: Make, place: Make, change: dict[str, Any], problem: str
) -> None:
    record = raw([0])
    with pytest.raises(ValueError, match=problem):
        write_record(place(tmp_path, record), record | change, table([0]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("status", "has_history"), [("failed", True), ("finished", False)])
def test_a_history_belongs_to_a_finished_record_only(
    tmp_path: Path, raw: Make, table: Make, place: Make, status: str, has_history: bool
) -> None:
    record = raw([0], status=status)
    with pytest.raises(ValueError, match="a finished record needs a history, and a failed one has none"):
        write_record(place(tmp_path, record), record, table([0]) if has_history else None)


def test_other_seeds_in_the_rows_are_not_written(tmp_path: Path, raw: Make, table: Make, place: Make) -> None:
    record = raw([0])
    with pytest.raises(ValueError, match=r"history\.parquet holds the seeds 1, run\.json 0"):
        write_record(place(tmp_path, record), record, table([1]))


@pytest.mark.parametrize("wrong", ["seeds", "cell"])
def test_a_record_goes_to_its_own_place_only(tmp_path: Path, raw: Make, table: Make, place: Make, wrong: str) -> None:
    record = raw([0])
    folder = place(tmp_path, raw([1]) if wrong == "seeds" else raw([0], options={"eps": 1}))
    with pytest.raises(ValueError, match="is not the place of cell"):
        write_record(folder, record, table([0]))


def test_numbers_become_plain_json(tmp_path: Path, raw: Make, table: Make, place: Make) -> None:
    record = raw([0])
    record["seeds"][0]["max_loss"] = np.float32("inf")
    record["seeds"][0]["spikes"] = np.int64(3)
    record["seeds"][0]["final"]["val_accuracy"] = float("nan")
    record["environment"] = {"shape": (1, 2), "deterministic": np.bool_(True), "file": "caf\udce9.csv"}
    write_record(place(tmp_path, record), record, table([0]))
    (read,) = load_records(tmp_path).records
    assert (read.seeds[0]["max_loss"], read.seeds[0]["spikes"], read.seeds[0]["final"]["val_accuracy"]) == (
        None,
        3,
        None,
    )
    assert read.environment == {"shape": [1, 2], "deterministic": True, "file": "caf\\udce9.csv"}


def test_what_is_returned_is_what_reads_back(tmp_path: Path, raw: Make, table: Make, place: Make) -> None:
    record = raw([0]) | {"environment": {"shape": (1, np.float64(2.5))}}
    written = write_record(place(tmp_path, record), record, table([0]))
    assert load_records(tmp_path).records == [written]


def test_others_may_read_the_files_of_a_shared_folder(tmp_path: Path, write: Write) -> None:
    before = os.umask(0o022)
    try:
        folder = write(tmp_path)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


def test_only_folders_without_run_json_are_removed(tmp_path: Path, write: Write) -> None:
    finished, killed, damaged = write(tmp_path, [0]), write(tmp_path, [1]), write(tmp_path, [2])
    (killed / "run.json").unlink()
    (killed / ".run.json.1-a.tmp").touch()
    (damaged / "history.parquet").unlink()
    assert remove_unfinished(finished.parent) == [killed]
    assert sorted(path.name for path in finished.parent.iterdir()) == sorted([finished.name, damaged.name])


def test_removing_from_a_cell_that_was_never_begun_removes_nothing(tmp_path: Path) -> None:
    assert remove_unfinished(tmp_path / "digits-batch-0123456789ab") == []
