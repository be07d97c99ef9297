"""What a board says of learning rates: which of them serve an entry, and how much trying several is worth."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class RateOutcome:
    """The scored seeds at one learning rate: those that `reached` the target, were too `slow`, `stalled`, `diverged`.

    Each seed is counted once, a hit as reached even where it diverged later: `diverged` is without a hit. `rmst` is in
    steps, None without a target; `final` counts a lost seed at the trivial value.
    """

    learning_rate: float
    num_seeds: int
    diverged: int
    stalled: int
    reached: int
    slow: int
    rmst: float | None
    final: float | None


@dataclass(frozen=True)
class BestOf:
    """What `num_rates` learning rates drawn without replacement are expected to give, the best chosen on tuning seeds.

    `rmst` in steps and `final` are those of the chosen rate on the scored seeds.
    """

    num_rates: int
    rmst: float | None
    final: float | None


@dataclass(frozen=True)
class Tunability:
    """One entry of the tuned track: its learning rates ascending, and the expected best of 1, 2, … of them.

    `width_octaves`: log2 of largest ÷ smallest in the widest run of neighbouring rates at which at least half of the
    scored seeds reach the target, None where no rate does; open below or above where the grid ends before the run does.
    """

    workload: str
    workload_id: str
    target_level: str
    entry: str
    norm: str
    learning_rate: float
    edge: Literal["smallest", "largest"] | None
    rates: tuple[RateOutcome, ...]
    best_of: tuple[BestOf, ...]
    width_octaves: float | None
    open_below: bool
    open_above: bool
