"""A sweep on a disk that is full or read-only, or beside others' half-written records: all is said, nothing is torn."""

import os
import random
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import load_records

SWEEP = ("-m", "norm=none,batch,layer,rms,weight,scale", "seeds=16")
CELLS = 6


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system in memory with the options given, and again with others; needs root."""
    point = tmp_path / "disk"
    point.mkdir()
    mounted: list[bool] = []

    def mount(options: str) -> Path:
        words = [f"remount,{options}"] if mounted else [options, "-t", "tmpfs", "tmpfs"]
        result = subprocess.run(["mount", "-o", *words, str(point)], capture_output=True, text=True, check=False)
        assert not result.returncode, f"file systems cannot be mounted here: {result.stderr}"
        mounted.append(True)
        return point

    yield mount
    if mounted:
        subprocess.run(["umount", str(point)], check=True)


@pytest.fixture
def full(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, dict[str, Any], Callable[[], object]]:
    """A folder that takes a part of a sweep, or of a record, what makes it so, and what ends it.

    Root fills a device. Anybody else may not mount one, and lets no file grow beyond some size: other words, one way.
    """
    if os.geteuid() == 0:
        mount: Callable[[str], Path] = request.getfixturevalue("disk")
        return mount("size=96k"), {}, lambda: mount("size=4m")
    return tmp_path, {"fault": ("file size limit", 8_000)}, lambda: None


@pytest.mark.parametrize("way", ["device", "file size"])
def test_a_disk_that_fills_up_in_mid_sweep_is_said_with_commands_and_the_next_run_completes(
    way: str, command: Any, request: pytest.FixtureRequest, tmp_path: Path, histories: Any, assert_same: Any
) -> None:
    if way == "device":
        folder, fault, end = request.getfixturevalue("full")
    else:
        folder, fault, end = tmp_path, {"fault": ("file size limit", 8_000)}, lambda: None
    where = f"runs_dir={folder / 'runs'}"
    run = command(*SWEEP, where, **fault)
    assert run.code == 1
    assert "Traceback" not in run.said
    told = "File too large" if fault else "No space left on device"
    assert f"cannot be written ({told}): free some space or set runs_dir" in run.said, run.said
    kept = load_records(folder / "runs").records
    assert len(kept) < CELLS
    assert bool(kept) != bool(fault), "a device takes some records, a limit none"
    lost = CELLS - len(kept)
    assert f"{lost} failed:" in run.said
    again = [line for line in run.said.splitlines() if "again: python -m bnbench.train " in line]
    assert len(again) == lost
    assert not list((folder / "runs").rglob("*.tmp"))
    end()
    rest = command(*SWEEP, where)
    assert (rest.code, rest.said.count("trained 16 seeds")) == (0, lost), rest.said
    assert command(*SWEEP, f"runs_dir={tmp_path / 'undisturbed'}").code == 0
    assert_same(histories(folder / "runs"), histories(tmp_path / "undisturbed"))


@pytest.fixture
def read_only(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, Callable[[], object]]]:
    """A folder, and what turns it read-only: permissions, but of the whole device for root, whom they do not bind."""
    if os.geteuid() == 0:
        mount: Callable[[str], Path] = request.getfixturevalue("disk")
        yield mount("size=4m"), lambda: mount("ro,size=4m")
        return
    folder = tmp_path / "disk"
    folder.mkdir()

    def protect(mode: int) -> None:
        for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            path.chmod(mode)

    yield folder, lambda: protect(0o500)
    protect(0o700)


def test_a_sweep_in_a_read_only_folder_ends_with_one_message(
    command: Any, read_only: tuple[Path, Callable[[], object]]
) -> None:
    folder, protect = read_only
    where = f"runs_dir={folder / 'runs'}"
    assert command("-m", "norm=none,batch", where).code == 0
    protect()
    run = command("-m", "norm=layer,rms,weight", where)
    assert run.code == 1
    assert len(run.said.strip().splitlines()) == 1, run.said
    assert ".locks cannot be written (" in run.said
    assert "make the folder writable or set runs_dir to one that is" in run.said
    mixed = command("-m", "norm=none,batch,layer,rms", where)
    assert mixed.code == 1
    assert mixed.said.count("2 seeds already finished, nothing to train") == 2
    assert mixed.said.count("refused: ") == 1
    assert mixed.said.count("again: python -m bnbench.train ") == 2
    assert mixed.said.count("notes cannot be written") <= 1


def test_records_that_others_have_half_written_cost_no_cell_while_a_sweep_runs(
    command: Any, tmp_path: Path, histories: Any, assert_same: Any
) -> None:
    """As where another machine's records are being copied in: they appear at random moments, in cells of the sweep."""
    sweep, others = ("-m", "norm=none,batch,layer,rms"), "runs_dir=others"
    assert command(*sweep, f"runs_dir={tmp_path / 'undisturbed'}").code == 0
    for seeds in ("2", "[2,3]", "[4]"):
        assert command(*sweep, others, f"seeds={seeds}").code == 0
    random_seed = secrets.randbits(32)
    draw = random.Random(random_seed)
    halves = half_written(command.folder / "others", tmp_path / "halves", draw)
    assert len(halves) > 10
    sys.stdout.write(f"random seed {random_seed}\n")
    run = command.start(*sweep)
    appeared = 0
    ended = threading.Event()
    for half, name in halves:
        place = command.runs / name
        if not run.alive():
            ended.set()
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            half.rename(place)
            appeared += not ended.is_set()
        time.sleep(draw.uniform(0.0, 0.1))
    assert run.wait().code == 0, f"random seed {random_seed}: {run.said}"
    assert appeared > 0
    assert "Traceback" not in run.said
    loaded = load_records(command.runs)
    whole = set(command.runs.glob("*/seeds-*")) - {item.path for item in loaded.skipped}
    assert {record.path for record in loaded.records} == whole, "each half is told by name"
    for item in loaded.skipped:
        shutil.rmtree(item.path)
    assert_same(histories(command.runs), histories(tmp_path / "undisturbed"))


def half_written(runs: Path, folder: Path, draw: random.Random) -> list[tuple[Path, str]]:
    """Copies of records of which something is missing or cut off, and where each belongs."""
    found = []
    for number, record in enumerate(sorted(runs.glob("*/seeds-*"))):
        copy = folder / str(number)
        shutil.copytree(record, copy)
        victim = copy / draw.choice(["run.json", "history.parquet", "SHA256SUMS"])
        if draw.random() < 0.3 and victim.name != "SHA256SUMS":
            victim.unlink()
        else:
            content = victim.read_bytes()
            victim.write_bytes(content[: draw.randrange(len(content))])
        found.append((copy, str(record.relative_to(runs))))
    draw.shuffle(found)
    return found
