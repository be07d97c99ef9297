"""One process per cell: neither two at once, nor a cell that a dead process keeps."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnbench.errors import UserError
from bnbench.records import cell_lock, holder, load_records

Process = subprocess.Popen[str]
LEASE_SECONDS = 60.0
SHORT_LEASE_SECONDS = 1.0


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    return tmp_path / "digits-batch-0123456789ab"


@pytest.fixture
def start(cell: Path) -> Iterator[Callable[..., Process]]:
    """Start another process that tries to hold the cell's lock, and wait until it has said whether it does."""
    processes: list[Process] = []

    def start(expected: str = "True", *, lease_seconds: float = LEASE_SECONDS) -> Process:
        script = str(Path(__file__).with_name("hold_lock.py"))
        process = subprocess.Popen(
            [sys.executable, script, str(cell), str(lease_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline().strip() == expected
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def leave(process: Process) -> None:
    process.communicate("\n", timeout=30)
    assert process.returncode == 0


def kill(process: Process) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)


def test_a_free_cell_is_acquired_and_left_free(cell: Path) -> None:
    for _ in range(2):
        with cell_lock(cell) as acquired:
            assert acquired
            assert holder(cell).startswith(f"process {os.getpid()} on host ")
        assert holder(cell) == "no process"


def test_the_lock_lies_beside_the_cells_and_is_none(cell: Path) -> None:
    with cell_lock(cell):
        assert [path.name for path in (cell.parent / ".locks").iterdir()] == ["0123456789ab.lock"]
        assert not cell.exists()
        assert load_records(cell.parent).skipped == []


def test_two_processes_never_hold_one_cell(cell: Path, start: Callable[..., Process]) -> None:
    process = start()
    began = time.monotonic()
    with cell_lock(cell) as acquired:
        assert not acquired
        assert holder(cell).startswith(f"process {process.pid} on host ")
    assert time.monotonic() - began < 5, "a cell that another process trains is left to it at once"
    leave(process)
    with cell_lock(cell) as acquired:
        assert acquired
        leave(start("False"))


def test_being_refused_does_not_free_the_holder_s_lock(cell: Path, start: Callable[..., Process]) -> None:
    start()
    for _ in range(2):
        with cell_lock(cell) as acquired:
            assert not acquired


def test_two_cells_do_not_wait_for_each_other(cell: Path, start: Callable[..., Process]) -> None:
    start()
    with cell_lock(cell.with_name("digits-layer-ba9876543210")) as acquired:
        assert acquired


def test_the_same_process_does_not_hold_a_cell_twice(cell: Path) -> None:
    with cell_lock(cell) as first, cell_lock(cell) as second:
        assert (first, second) == (True, False)


def test_an_error_inside_frees_the_cell(cell: Path) -> None:
    with pytest.raises(RuntimeError, match="training failed"), cell_lock(cell):
        raise RuntimeError("training failed")
    with cell_lock(cell) as acquired:
        assert acquired


def test_a_killed_holder_is_replaced_at_once(cell: Path, start: Callable[..., Process]) -> None:
    kill(start())
    began = time.monotonic()
    with cell_lock(cell) as acquired:
        assert acquired
    assert time.monotonic() - began < 5, "far below the lease: the dead process is recognised, not waited for"


def test_a_living_holder_keeps_its_cell_beyond_the_lease(cell: Path, start: Callable[..., Process]) -> None:
    start(lease_seconds=SHORT_LEASE_SECONDS)
    time.sleep(2 * SHORT_LEASE_SECONDS)
    with cell_lock(cell, lease_seconds=SHORT_LEASE_SECONDS) as acquired:
        assert not acquired


def test_a_holder_that_hangs_loses_its_cell_after_the_lease(
    cell: Path, start: Callable[..., Process], caplog: pytest.LogCaptureFixture
) -> None:
    process = start(lease_seconds=SHORT_LEASE_SECONDS)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.5 * SHORT_LEASE_SECONDS)
    with cell_lock(cell, lease_seconds=SHORT_LEASE_SECONDS) as acquired:
        assert acquired
    assert f"shows no sign of life from process {process.pid}" in caplog.text


def test_a_holder_on_another_host_that_died_loses_its_cell_after_the_lease(cell: Path) -> None:
    lock = cell.parent / ".locks" / "0123456789ab.lock"
    with cell_lock(cell, lease_seconds=SHORT_LEASE_SECONDS):
        elsewhere = "\n".join(
            "host=elsewhere" if line.startswith("host=") else line for line in lock.read_text().splitlines()
        )
    lock.write_text(f"{elsewhere}\n")
    with cell_lock(cell, lease_seconds=SHORT_LEASE_SECONDS) as acquired:
        assert not acquired, "it may still live: this host cannot ask"
    assert holder(cell).endswith("on host elsewhere")
    time.sleep(1.2 * SHORT_LEASE_SECONDS)
    with cell_lock(cell, lease_seconds=SHORT_LEASE_SECONDS) as acquired:
        assert acquired


def test_a_holder_that_lost_its_cell_says_so(cell: Path, caplog: pytest.LogCaptureFixture) -> None:
    with cell_lock(cell, lease_seconds=0.3):
        (cell.parent / ".locks" / "0123456789ab.lock").unlink()
        time.sleep(0.6)
    assert "was lost while it was held (marker-missing)" in caplog.text


def test_another_lease_is_refused_with_both_values(cell: Path, start: Callable[..., Process]) -> None:
    start(lease_seconds=30)
    with pytest.raises(UserError, match=r"holds a lease of 30\.0s but this contender configured 60\.0s"):
        cell_lock(cell).__enter__()


def test_a_lock_folder_that_cannot_be_made_is_an_error(cell: Path) -> None:
    (cell.parent / ".locks").touch()
    with pytest.raises(
        UserError, match=r"\.locks cannot be written \(File exists\): a file lies where a folder is needed"
    ):
        cell_lock(cell).__enter__()


def test_a_folder_that_is_no_cell_has_no_lock(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a cell folder"):
        cell_lock(tmp_path / "notes").__enter__()
