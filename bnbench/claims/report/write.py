"""Where the report goes."""

from collections.abc import Iterator
from pathlib import Path


def write_report(runs_dir: Path, *, markdown: Path, page: Path | None) -> Iterator[str]:
    """Write the report and yield what was written."""
    yield from ()
