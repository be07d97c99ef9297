"""The commands of docs/runs.md run as they stand, in one folder, in the order of the page."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import run_ids, write_record
from bnbench.runs import main

PAGE = Path(__file__).parents[2] / "docs" / "runs.md"
COMMANDS = [
    line for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.splitlines()
]


def test_every_command_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: Callable[..., Any], table: Any, place: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("runs", "laptop", "cluster"):
        for norm in ("batch", "none"):
            record = raw([0, 1])
            record["identity"]["entry"]["norm"] = norm
            record |= dict(zip(("cell_id", "workload_id"), run_ids(record["identity"]), strict=True))
            record |= {"norm": norm, "entry": norm}
            write_record(place(tmp_path / folder, record), record, table([0, 1]))
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "bnbench.runs"]
        assert main(words[3:]) == 0, command
