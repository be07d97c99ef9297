"""What an entry's learning rates did: how the seeds ended at each, which serve, and what trying several is worth."""

import numpy as np

from bnbench.scoring.best_of import expected_best_of
from bnbench.scoring.board import Workload
from bnbench.scoring.board_tunability import BestOf, RateOutcome, Tunability
from bnbench.scoring.entry_curves import EntryCurves, WorkloadCurves, counted_finals
from bnbench.scoring.grid import Grid, TunedEntry, times_of
from bnbench.scoring.stalled import stalled
from bnbench.scoring.survival import restricted_mean
from bnbench.scoring.width import width_of

ENOUGH_HITS = 0.5
"""The share of the scored seeds that reach the target from which on a learning rate serves."""


def tunability_of(grid: Grid, curves: WorkloadCurves, workload: Workload, *, goal: float | None) -> list[Tunability]:
    """Return one tunability per entry of a workload of the tuned track; stalled seeds are judged by `goal`."""
    return [_of_entry(entry, curves, workload, goal) for entry in grid.entries]


def _of_entry(tuned: TunedEntry, curves: WorkloadCurves, workload: Workload, goal: float | None) -> Tunability:
    outcomes = {rate: _outcome(rate, entry, curves, workload, goal) for rate, entry in sorted(tuned.scored.items())}
    rates = list(outcomes)
    enough = [each.reached >= ENOUGH_HITS * each.num_seeds for each in outcomes.values()]
    width = width_of(rates, enough if workload.target is not None else [False] * len(rates))
    return Tunability(
        workload=workload.workload,
        workload_id=workload.workload_id,
        target_level=workload.target_level,
        entry=tuned.entry,
        norm=tuned.norm,
        learning_rate=tuned.choice.rate,
        edge=tuned.choice.edge,
        rates=tuple(outcomes.values()),
        best_of=_best_of([outcomes[trial.rate] for trial in tuned.trials]),
        width_octaves=width.octaves,
        open_below=width.open_below,
        open_above=width.open_above,
    )


def _outcome(
    rate: float, entry: EntryCurves, curves: WorkloadCurves, workload: Workload, goal: float | None
) -> RateOutcome:
    """Every seed is counted once: a hit is a hit whatever came after; then diverged, then stalled, else slow."""
    times = times_of(entry, curves, workload.target)
    reached = np.zeros(len(entry.seeds), dtype=bool) if times is None else times.reached
    diverged = entry.diverged & ~reached
    at_chance = stalled(entry.values, entry.diverged, trivial=entry.trivial, goal=goal, direction=workload.direction)
    stuck = at_chance & ~reached & ~diverged
    final = float(np.mean(counted_finals(entry)))
    return RateOutcome(
        learning_rate=rate,
        num_seeds=len(entry.seeds),
        diverged=int(diverged.sum()),
        stalled=int(stuck.sum()),
        reached=int(reached.sum()),
        slow=int((~(reached | diverged | stuck)).sum()),
        rmst=None if times is None else restricted_mean(times).estimate,
        final=final if np.isfinite(final) else None,
    )


def _best_of(ordered: list[RateOutcome]) -> tuple[BestOf, ...]:
    """The outcomes stand in the order in which the tuning seeds would choose them."""
    steps = _expected([each.rmst for each in ordered])
    finals = _expected([each.final for each in ordered])
    return tuple(BestOf(index + 1, rmst, final) for index, (rmst, final) in enumerate(zip(steps, finals, strict=True)))


def _expected(values: list[float | None]) -> list[float] | list[None]:
    known = [value for value in values if value is not None]
    return expected_best_of(known) if len(known) == len(values) else [None] * len(values)


LEGEND = (
    "width: octaves of learning rate, neighbours in the grid, at which at least half of the scored seeds reach the "
    "target; ≥ where the grid ends first. best of k: steps to target to be expected from the best of k learning rates "
    "drawn at random, chosen on tuning seeds."
)
