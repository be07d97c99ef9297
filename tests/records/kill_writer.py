"""Write one record over and over, each time in a child that kills itself (SIGKILL) one write point later.

    python kill_writer.py SOURCE RUNS [BEFORE]

SOURCE and BEFORE are record folders. For every point a copy of BEFORE, if given, is placed below RUNS/<n>, and a child
begins and writes SOURCE's record there until it reaches its point. One line per child, in order, is printed: the name
of its point; the last, ``done``, was not killed. Points are the calls that change the disk, just before
they happen (Python's audit events), and each file with only half of its content written.
"""

import os
import re
import shutil
import signal
import stat
import sys
from pathlib import Path
from typing import Any

from bnbench.records import Record, begin_record, history, write_record
from bnbench.records.check import read_record

CHANGES_DISK = {"os.mkdir", "open", "os.rename", "os.remove"}
TEMPORARY_NAME = re.compile(r"[.]\d+-[0-9a-f]+[.]tmp$")


def write_until(last: int, *, source: Record, runs_dir: Path, report: int) -> None:
    """Begin and write the record; at write point number ``last`` report its name and die."""
    reached = 0
    opened = ""

    def is_last() -> bool:
        nonlocal reached
        reached += 1
        return reached > last

    def die(name: str) -> None:
        os.write(report, name.encode())
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal opened
        if event not in CHANGES_DISK or not str(arguments[0]).startswith(str(runs_dir)):
            return
        if event == "open" and not arguments[2] & os.O_WRONLY:
            return
        name = TEMPORARY_NAME.sub(".tmp", Path(arguments[0]).name)
        opened = name if event == "open" else opened
        if is_last():
            die(f"{event.removeprefix('os.')} {name}")

    def half_written(descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and is_last():
            os.ftruncate(descriptor, status.st_size // 2)
            die(f"half {opened}")

    table = history.read_table(source.path / "history.parquet", metric=source.metric["name"], rows=source.rows)
    folder = runs_dir / source.path.parent.name / source.path.name
    sys.addaudithook(watch)
    os.fsync = half_written
    begin_record(folder)
    write_record(folder, source.raw, table)
    os.write(report, b"done")


def child(last: int, *, source: Record, runs_dir: Path) -> str:
    """Return the point at which a forked child died, or ``done``."""
    receive, report = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            write_until(last, source=source, runs_dir=runs_dir, report=report)
        finally:
            os._exit(0)
    os.close(report)
    with os.fdopen(receive) as pipe:
        point = pipe.read()
    _, status = os.waitpid(process, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed != (point == "done"), (point, status)
    return point


def main(source_folder: str, runs: str, before: str = "") -> None:
    source = read_record(Path(source_folder))
    assert isinstance(source, Record), source
    point = ""
    number = 0
    while point != "done":
        runs_dir = Path(runs) / str(number)
        if before:
            shutil.copytree(before, runs_dir / source.path.parent.name / source.path.name)
        point = child(number, source=source, runs_dir=runs_dir)
        sys.stdout.write(f"{point}\n")
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
