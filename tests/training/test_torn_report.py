"""A rank that is killed in the middle of a line has ended, and nothing else."""

import io
from queue import SimpleQueue
from typing import Any

import pytest

from bnbench.training.ranks import _read


@pytest.mark.parametrize("torn", ["", '{"observation": {"step": 1', '{"ended"', "\x00\x00"])
def test_what_it_said_before_counts_and_its_end_is_told(torn: str) -> None:
    reports: SimpleQueue[tuple[int, dict[str, Any] | None]] = SimpleQueue()
    _read(3, io.StringIO('{"observation": {}}\n' + torn), reports)
    assert [reports.get() for _ in range(reports.qsize())] == [(3, {"observation": {}}), (3, None)]
