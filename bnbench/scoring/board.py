"""The result of scoring: plain data, ready for JSON, from which every report is made."""

from dataclasses import asdict, dataclass, field
from typing import Any

from bnbench.records import Skipped
from bnbench.scoring.speedup import Bound

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class StepsToTarget:
    """Steps until the metric meets the target: restricted mean with its interval, median None when half never do."""

    median: float | None
    rmst: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Speedup:
    """RMST of the reference ÷ RMST of the entry on their `n_pairs` common seeds; the interval is not corrected."""

    estimate: float | None
    low: float | None
    high: float | None
    bound: Bound
    n_pairs: int
    p_value: float | None
    p_holm: float | None
    more_seeds: int | None


@dataclass(frozen=True)
class Final:
    """The metric at the end; `counted_trivial` seeds diverged or ended non-finite and count at the trivial value."""

    mean: float | None
    low: float | None
    high: float | None
    counted_trivial: int


@dataclass(frozen=True)
class HitRateInterval:
    """Wilson's interval of the hit rate."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """One entry of one workload, target level and track."""

    workload: str
    workload_id: str
    target_level: str
    track: str
    entry: str
    norm: str
    rank: int
    n_seeds: int
    hit_rate: float | None
    hit_rate_interval: HitRateInterval
    steps_to_target: StepsToTarget
    speedup: Speedup
    final: Final
    diverged: int
    is_reference: bool
    verdict: str


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
    """Everything a leaderboard says; reports are made from it and from nothing else."""

    reference: str
    workloads: tuple[Workload, ...] = ()
    entries: tuple[Row, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    schema_version: int = field(default=SCHEMA_VERSION, init=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the board as JSON-able data with the documented keys."""
        return {
            "schema_version": self.schema_version,
            "reference": self.reference,
            "workloads": [asdict(workload) for workload in self.workloads],
            "entries": [asdict(row) for row in self.entries],
            "skipped": [{"path": str(item.path), "reason": item.reason} for item in self.skipped],
            "notes": list(self.notes),
        }

    def rows_of(self, workload: Workload) -> list[tuple[str, list[Row]]]:
        """Return the workload's rows by track, best rank first."""
        tracks: dict[str, list[Row]] = {}
        for row in self.entries:
            if (row.workload_id, row.target_level) == (workload.workload_id, workload.target_level):
                tracks.setdefault(row.track, []).append(row)
        return sorted(tracks.items())

    def __str__(self) -> str:
        lines = []
        for workload in self.workloads:
            for track, rows in self.rows_of(workload):
                lines.append(f"{workload.workload} ({workload.target_level}, {track})")
                lines += [f"  {row.rank}. {row.entry}: {row.verdict}" for row in rows]
        return "\n".join([*lines, *self.notes, *(f"skipped {item.path}: {item.reason}" for item in self.skipped)])
