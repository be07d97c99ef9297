"""Tolerant reading: every record that can be trusted, and by name every folder that cannot; one never costs another."""

import json
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from bnbench.errors import UserError
from bnbench.records import history, layout, schema
from bnbench.records.record import Record as Record

MAX_RUN_BYTES = 64 * 2**20
"""A longer run.json is refused unread; one of 1,024 seeds takes about half a megabyte."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A folder that does not count, and why; ``unfinished`` if training again is all it needs."""

    path: Path
    reason: str
    unfinished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Seeds of one cell that two folders hold: only the copy in ``kept``, the first by path, counts."""

    cell_id: str
    seeds: tuple[int, ...]
    kept: Path
    path: Path
    identical: bool

    @property
    def reason(self) -> str:
        """Return one sentence for reports: what lies twice, whether the two agree, and which one counts."""
        listed = ", ".join(map(str, self.seeds[:8])) + (", ..." if len(self.seeds) > 8 else "")
        verdict = "identical, counted once" if self.identical else "with DIFFERENT results"
        return f"{len(self.seeds)} seed(s) of cell {self.cell_id} ({listed}) also lie in {self.kept}, {verdict}; kept {self.kept}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What was found under some paths: the records that count, and everything that does not, by name."""

    records: list[Record] = field(default_factory=list)
    failed: list[Record] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    copies: list[Overlap] = field(default_factory=list)
    conflicts: list[Overlap] = field(default_factory=list)
