"""What a board says of entries over several workloads; plain data, ready for JSON."""

from dataclasses import dataclass

from bnbench.scoring.board_row import Estimate
from bnbench.scoring.speedup import Bound


@dataclass(frozen=True)
class AcrossEntry:
    """One entry over the workloads; `hit_rates` and `speedups` in their order, None where it was not run.

    `anchored`: geometric mean of the speed-ups against the fixed reference, over `num_workloads`. `profile`: corners
    (ratio to the best, share of workloads within it) of a step function; `profile_area`: its area, 0 to 1. `quality`:
    mean of (final − trivial) ÷ (target − trivial). `relative_step`: geometric mean of the step costs.
    """

    entry: str
    norm: str
    rank: int
    is_reference: bool
    anchored: Estimate
    bound: Bound
    num_workloads: int
    profile_area: float
    profile: tuple[tuple[float, float], ...]
    hit_rates: tuple[float | None, ...]
    speedups: tuple[float | None, ...]
    quality: float | None
    relative_step: float | None


@dataclass(frozen=True)
class Across:
    """The entries of one target level and track over all workloads that have the reference, best anchored first."""

    target_level: str
    track: str
    workloads: tuple[str, ...]
    workload_ids: tuple[str, ...]
    entries: tuple[AcrossEntry, ...]
    notes: tuple[str, ...] = ()
