"""Whatever interrupts a write, the folder is what it was or recognisably unfinished, and writing again repairs it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import (
    begin_record,
    load_records,
    write_record,
)

Write = Callable[..., Path]
Make = Callable[..., Any]

# Every point at which a writer can be killed, in order, and what the reader must then say.
NOTHING, UNFINISHED, FAILED, FINISHED = "nothing", "unfinished", "failed", "finished"
FRESH = [
    ("mkdir seeds", NOTHING),  # tried first, before its parents are there
    ("mkdir cell", NOTHING),
    ("mkdir runs", NOTHING),
    ("mkdir cell", NOTHING),
    ("mkdir seeds", NOTHING),
    ("mkdir seeds", UNFINISHED),  # the write makes sure of the folder once more
    ("remove run.json", UNFINISHED),
    ("open .history.parquet.tmp", UNFINISHED),
    ("half .history.parquet.tmp", UNFINISHED),
    ("rename .history.parquet.tmp", UNFINISHED),
    ("open .SHA256SUMS.tmp", UNFINISHED),
    ("half .SHA256SUMS.tmp", UNFINISHED),
    ("rename .SHA256SUMS.tmp", UNFINISHED),
    ("open .run.json.tmp", UNFINISHED),
    ("half .run.json.tmp", UNFINISHED),
    ("rename .run.json.tmp", UNFINISHED),
    ("done", FINISHED),
]
AFTER_FAILURE = [
    ("mkdir seeds", FAILED),
    ("mkdir seeds", FAILED),
    ("remove run.json", FAILED),
    *FRESH[FRESH.index(("open .history.parquet.tmp", UNFINISHED)) :],
]
# What a writer killed before the last rename left: its temporary files go first.
AFTER_KILL = [
    ("mkdir seeds", UNFINISHED),
    ("mkdir seeds", UNFINISHED),
    ("remove .run.json.tmp", UNFINISHED),
    *FRESH[FRESH.index(("remove run.json", UNFINISHED)) :],
]
POINTS = {"fresh": FRESH, "after a failure": AFTER_FAILURE, "after a kill": AFTER_KILL}


def state(runs_dir: Path) -> str:
    """What the reader says of a runs folder that holds one record or less."""
    if not runs_dir.exists() or not list(runs_dir.glob("*/*")):
        return NOTHING
    runs = load_records(runs_dir)
    assert len(runs.records) + len(runs.failed) + len(runs.skipped) == 1
    if runs.skipped:
        assert runs.skipped[0].unfinished
        return UNFINISHED
    return FAILED if runs.failed else FINISHED


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Any]]:
    """Kill a writer at every point, once for each state the folder may be in before; return its points and folders."""
    done: dict[str, tuple[list[str], Path]] = {}

    def killed(before: str, source: Path, previous: Path | None) -> tuple[list[str], Path]:
        if before not in done:
            runs = tmp_path_factory.mktemp("killed")
            script = str(Path(__file__).with_name("kill_writer.py"))
            arguments = [sys.executable, script, str(source), str(runs), *([str(previous)] if previous else [])]
            root = Path(__file__).parents[2]
            environment = os.environ | {"PYTHONPATH": str(root)}
            result = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment, timeout=120)
            names = {source.name: "seeds", source.parent.name: "cell"}
            points = []
            for number, line in enumerate(result.stdout.splitlines()):
                event, _, name = line.partition(" ")
                points.append(f"{event} {({str(number): 'runs'} | names).get(name, name)}".strip())
            done[before] = points, runs
        return done[before]

    return killed


@pytest.fixture
def kill(
    killed: Callable[..., Any], tmp_path: Path, write: Write, raw: Make
) -> Callable[[str], tuple[list[str], Path]]:
    def kill(before: str) -> tuple[list[str], Path]:
        source = write(tmp_path / "source", [0, 1])
        previous = tmp_path / "previous"
        if before == "after a failure":
            previous.mkdir()
            (previous / "run.json").write_text(json.dumps(raw([0, 1], status="failed")))
        elif before == "after a kill":
            previous.mkdir()
            shutil.copy(source / "history.parquet", previous)
            (previous / ".run.json.4242-0badf00d.tmp").write_text('{"schema_ver')
        return killed(before, source, previous if previous.exists() else None)

    return kill


@pytest.mark.parametrize("before", POINTS)
def test_every_point_at_which_a_writer_can_die_is_on_the_list(kill: Make, before: str) -> None:
    points, _ = kill(before)
    assert points == [name for name, _ in POINTS[before]]


@pytest.mark.parametrize(
    ("before", "number"), [(before, number) for before, points in POINTS.items() for number in range(len(points))]
)
def test_a_killed_writer_leaves_no_lie_and_writing_again_repairs_it(
    kill: Make, place: Make, raw: Make, table: Make, before: str, number: int
) -> None:
    _, runs = kill(before)
    runs_dir = runs / str(number)
    name, expected = POINTS[before][number]
    assert state(runs_dir) == expected, name
    record = raw([0, 1])
    folder = place(runs_dir, record)
    begin_record(folder)
    write_record(folder, record, table([0, 1]))
    assert state(runs_dir) == FINISHED
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "history.parquet", "run.json"]
