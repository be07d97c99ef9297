"""The result of scoring: plain data, ready for JSON, from which every report is made."""

from dataclasses import dataclass, field, is_dataclass
from functools import cached_property
from typing import Any

from bnbench.records import Skipped
from bnbench.scoring.board_across import Across as Across
from bnbench.scoring.board_across import AcrossEntry as AcrossEntry
from bnbench.scoring.board_curves import Curves as Curves
from bnbench.scoring.board_curves import RunFact as RunFact
from bnbench.scoring.board_curves import SeedOutcome as SeedOutcome
from bnbench.scoring.board_diagnostics import Diagnosis as Diagnosis
from bnbench.scoring.board_diagnostics import DiagnosticCurve as DiagnosticCurve
from bnbench.scoring.board_row import CostOf as CostOf
from bnbench.scoring.board_row import Details as Details
from bnbench.scoring.board_row import Estimate as Estimate
from bnbench.scoring.board_row import Final as Final
from bnbench.scoring.board_row import HitRateInterval as HitRateInterval
from bnbench.scoring.board_row import Row as Row
from bnbench.scoring.board_row import Speedup as Speedup
from bnbench.scoring.board_row import StepsToTarget as StepsToTarget
from bnbench.scoring.board_row import Tuning as Tuning
from bnbench.scoring.board_tunability import BestOf as BestOf
from bnbench.scoring.board_tunability import RateOutcome as RateOutcome
from bnbench.scoring.board_tunability import Tunability as Tunability

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Workload:
    """What a block of rows was measured under."""

    workload: str
    workload_id: str
    metric: str
    direction: str
    target: float | None
    target_level: str
    provenance: str
    max_steps: int
    eval_every_steps: int


@dataclass(frozen=True)
class Board:
    """Everything a leaderboard says; reports are made from it and from nothing else.

    `curves`, `runs` and `diagnoses` are there when they were asked for; they are for charts and drill-downs and not in
    the JSON.
    """

    reference: str
    workloads: tuple[Workload, ...] = ()
    entries: tuple[Row, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    across: tuple[Across, ...] = ()
    tunability: tuple[Tunability, ...] = ()
    curves: tuple[Curves, ...] = field(default=(), compare=False)  # arrays have no single answer to ==
    runs: tuple[RunFact, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = field(default=(), compare=False)
    schema_version: int = field(default=SCHEMA_VERSION, init=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the board as JSON-able data with the documented keys."""
        return {
            "schema_version": self.schema_version,
            "reference": self.reference,
            "workloads": [_as_data(workload) for workload in self.workloads],
            "entries": [_as_data(row) for row in self.entries],
            "skipped": [{"path": str(item.path), "reason": item.reason} for item in self.skipped],
            "notes": list(self.notes),
            "across": [_as_data(each) for each in self.across],
            "tunability": [_as_data(each) for each in self.tunability],
        }

    def rows_of(self, workload: Workload) -> list[tuple[str, list[Row]]]:
        """Return the workload's rows by track, best rank first."""
        return sorted(self._tracks.get((workload.workload_id, workload.target_level), {}).items())

    @cached_property
    def _tracks(self) -> dict[tuple[str, str], dict[str, list[Row]]]:
        found: dict[tuple[str, str], dict[str, list[Row]]] = {}
        for row in self.entries:
            tracks = found.setdefault((row.workload_id, row.target_level), {})
            tracks.setdefault(row.track, []).append(row)
        return found

    def __str__(self) -> str:
        lines = []
        for workload in self.workloads:
            for track, rows in self.rows_of(workload):
                lines.append(f"{workload.workload} ({workload.target_level}, {track})")
                lines += [f"  {row.rank}. {row.entry}: {row.verdict}" for row in rows]
        return "\n".join([*lines, *self.notes, *(f"skipped {item.path}: {item.reason}" for item in self.skipped)])


def _as_data(value: Any) -> Any:
    """What dataclasses.asdict returns, without its deep copies: a board may have thousands of rows."""
    if is_dataclass(value):
        return {name: _as_data(inner) for name, inner in vars(value).items()}
    return tuple(map(_as_data, value)) if isinstance(value, tuple) else value
