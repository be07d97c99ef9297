"""One row of a board: an entry in one workload, at one target level, in one track; plain data, ready for JSON."""

from dataclasses import dataclass, field
from typing import Literal

from bnbench.scoring.speedup import Bound


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; None where it is not known, `low` and `high` also for a single value."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


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
class Details:
    """What is shown on request; None where it is not known.

    `expected_running_time`: all steps spent ÷ hits. `area_under_curve`: mean of the validation metric over the steps.
    `stalled`: seeds that stay finite and hardly leave the trivial predictor. `spikes`: mean number per seed.
    `steps_iqr`, `worst_tenth_steps`, `final_iqr`: the spread over seeds. `epochs`, `samples`, `seconds`: the restricted
    mean of the steps to target in other units; seconds by the measured cost of a step.
    """

    expected_running_time: float | None = None
    area_under_curve: Estimate = Estimate()
    best: Estimate = Estimate()
    test: Estimate = Estimate()
    stalled: int | None = None
    spikes: float | None = None
    steps_iqr: float | None = None
    worst_tenth_steps: float | None = None
    final_iqr: float | None = None
    epochs: float | None = None
    samples: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class CostOf:
    """What the entry costs, measured alone; `relative_*` beside `none` in the same measurement."""

    step_seconds: float
    inference_seconds: float
    peak_memory_bytes: int | None
    parameters: int
    relative_step: float | None
    relative_inference: float | None
    relative_memory: float | None
    relative_parameters: float | None
    hardware: str
    measured_at: str


@dataclass(frozen=True)
class Tuning:
    """The learning rate that an entry was given in the tuned track; `edge` where none beyond it was tried."""

    learning_rate: float
    edge: Literal["smallest", "largest"] | None
    num_rates: int
    num_tuning_seeds: int


@dataclass(frozen=True)
class Row:
    """One entry of one workload, target level and track; `cost` None where unmeasured, `tuning` None in `recipe`."""

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
    details: Details = field(default=Details())
    cost: CostOf | None = None
    tuning: Tuning | None = None
