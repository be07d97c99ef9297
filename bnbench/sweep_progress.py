"""How far a sweep is, whatever processes run its jobs: read from its notes, said in one line."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bnbench.records.check import read_json
from bnbench.runs_commands.answer import number_of
from bnbench.runs_commands.sweep_notes import SIZE_FILE
from bnbench.sweep_size import SweepSize
from bnbench.training.progress import SECONDS_BETWEEN_LINES, duration

SECONDS_BETWEEN_READS = 1.0  # a live line is written at every evaluation, and there may be a thousand notes


@dataclass(frozen=True, kw_only=True)
class Ended:
    """One job that ended: cells that are done, their seeds, what failed, and whether it had anything to train."""

    cells: int
    seeds: int
    failed: int
    trained: bool

    @classmethod
    def of(cls, note: Mapping[str, Any]) -> "Ended":
        """Return what a note tells."""
        cells = note["cells"]
        return cls(
            cells=sum(not cell["error"] and not cell["elsewhere"] and not cell.get("preempted") for cell in cells),
            seeds=sum(len(cell["trained"]) + len(cell["reused"]) for cell in cells),
            failed=sum(bool(cell["error"]) for cell in cells) + bool(note["refusal"]),
            trained=any(cell["trained"] or cell["error"] for cell in cells),
        )


def begin_notes(folder: Path, size: SweepSize, *, sources: str | None = None) -> None:
    """Write how large a sweep is beside the notes of its jobs, for whoever wants to know how far it is.

    `sources` is the digest of what its configurations are composed from, for the sweeps to come.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / ".size.partial"
        partial.write_text(json.dumps({**asdict(size), "started_at": time.time(), "sources": sources}))
        partial.replace(folder / SIZE_FILE)
    except OSError:
        return  # a folder that cannot be written is refused where its records are, in one message


@dataclass
class SweepProgress:
    """The jobs of one sweep that ended, of how many; says nothing of a sweep of one job or of unknown size."""

    folder: Path
    clock: Callable[[], float] = time.time
    ended: dict[int, Ended] = field(default_factory=dict)
    said_at: float | None = None
    read_at: float | None = None
    size: Mapping[str, Any] | None = None

    def take(self, note: Mapping[str, Any]) -> None:
        """Take the note of a job of this process."""
        self.ended[note["job"]] = Ended.of(note)

    def due(self, *, at_once: bool = False) -> str:
        """Return the line for a stream of lines, empty where the last one is too recent; `at_once`: however recent."""
        now = self.clock()
        first = self.said_at is None
        if first:
            self.said_at = now
        if not at_once and (first or now - (self.said_at or now) < SECONDS_BETWEEN_LINES):
            return ""
        self.said_at = now
        return self.line()

    def line(self) -> str:
        """Return jobs, cells, seeds, failures and time left, in words."""
        if not self._read():
            return ""
        parts = [f"{self._jobs:,} of {number_of(self._total, 'job')} ended", self._cells_told(" of "), self._seeds_told]
        return ", ".join(["sweep: " + parts[0], *parts[1:], *self._failed_told, *self._left_told(0.0)])

    def short(self, fraction: float) -> str:
        """Return the same for the beginning of a live line; `fraction` of the present job is done."""
        if not self._read():
            return ""
        told = [f"{self._jobs:,}/{self._total:,} jobs", self._cells_told("/")]
        return ", ".join([*told, *self._failed_told, *self._left_told(fraction)])

    def _read(self) -> bool:
        """Read what is new among the notes; return whether there is a total to set it against."""
        if self.size is None:
            size = read_json(self.folder / SIZE_FILE)
            self.size = size if isinstance(size, dict) else {}
        if self.size.get("jobs", 1) < 2:
            return False
        now = self.clock()
        if self.read_at is not None and now - self.read_at < SECONDS_BETWEEN_READS:
            return True
        self.read_at = now
        for path in self.folder.glob("[0-9]*.json"):
            if int(path.stem) not in self.ended and isinstance(note := read_json(path), dict):
                self.take(note)
        return True

    @property
    def _total(self) -> int:
        return int(self.size["jobs"]) if self.size else 0

    @property
    def _jobs(self) -> int:
        # the tuned track adds jobs at the end, which nobody can count before
        return sum(number < self._total for number in self.ended)

    @property
    def _seeds_told(self) -> str:
        return f"{number_of(sum(job.seeds for job in self.ended.values()), 'seed')} done"

    def _cells_told(self, between: str) -> str:
        done, total = sum(job.cells for job in self.ended.values()), self.size.get("cells") if self.size else None
        # cells beyond the total are those the tuned track has added
        return f"{number_of(done, 'cell')}" if total is None or done > total else f"{done:,}{between}{total:,} cells"

    @property
    def _failed_told(self) -> list[str]:
        failed = sum(job.failed for job in self.ended.values())
        return [f"{failed:,} failed"] if failed else []

    def _left_told(self, fraction: float) -> list[str]:
        """Return the time left if the jobs to come take as long as those that trained; what was reused took none."""
        trained = sum(job.trained for number, job in self.ended.items() if number < self._total) + fraction
        left = self._total - self._jobs - fraction
        if not self.size or trained <= 0 or left <= 0:
            return []
        elapsed = max(0.0, self.clock() - self.size["started_at"])
        return [f"about {duration(elapsed * left / trained)} left"]
