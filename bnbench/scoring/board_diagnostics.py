"""What the charts of diagnostics are drawn from: each measurement over the steps, summed up over the seeds."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bnbench.scoring.times import Floats


@dataclass(frozen=True)
class DiagnosticCurve:
    """One measurement of one layer ("" is the whole network) at the evaluated `steps` (g,) of one entry.

    `median`, `low`, `high` (g,): median, 25th and 75th percentile over the `num_seeds` seeds that were measured, NaN
    where none was: a diverged seed has no weights to look at.
    """

    name: str
    layer: str
    steps: NDArray[Any]
    median: Floats
    low: Floats
    high: Floats
    num_seeds: int


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at inside an entry's networks, in one workload and track.

    `left_out` pairs a diagnostic that could say nothing of them with the reason.
    """

    workload_id: str
    workload: str
    track: str
    entry: str
    curves: tuple[DiagnosticCurve, ...]
    left_out: tuple[tuple[str, str], ...]
