"""What charts and drill-downs are drawn from: curves over the seeds, each seed's outcome, each record's facts."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bnbench.scoring.times import Floats


@dataclass(frozen=True)
class SeedOutcome:
    """One scored seed: `steps` is min(t, budget), None without a target; `final`, `best`, `test` None if not finite."""

    seed: int
    steps: float | None
    reached: bool
    final: float | None
    best: float | None
    test: float | None
    diverged_at_step: int | None
    spikes: int | None


@dataclass(frozen=True)
class Curves:
    """One row's curves at the evaluated `steps` (g,), as the row's workload_id, target level, track and entry say.

    `median`, `low`, `high` (g,): median, 25th and 75th percentile over seeds of the validation metric, a diverged seed
    at the trivial value from its death on, NaN where that is not known. `hit_share` (g,): seeds that have reached the
    target, None without one.
    """

    workload_id: str
    target_level: str
    track: str
    entry: str
    steps: NDArray[Any]
    median: Floats
    low: Floats
    high: Floats
    hit_share: Floats | None
    seeds: tuple[SeedOutcome, ...]


@dataclass(frozen=True)
class RunFact:
    """One record that counts: where it lies, what it is, and with which command, versions and hardware it came about.

    `versions` pairs a package with its version; what a record does not tell is "".
    """

    path: str
    workload_id: str
    track: str
    entry: str
    cell_id: str
    num_seeds: int
    command: str
    versions: tuple[tuple[str, str], ...]
    hardware: str
    commit: str
