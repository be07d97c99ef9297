"""One entry at the learning rate chosen for it, and how it compares with the reference at its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bnbench.metric_facts import facts_of
from bnbench.scoring.comparison import Comparison, SeedTimes, compare_with_reference
from bnbench.scoring.entry_curves import WorkloadCurves, counted_finals
from bnbench.scoring.final import final_metric
from bnbench.scoring.final_difference import FinalDifference, SeedFinals, compare_finals
from bnbench.scoring.grid import TunedEntry, times_of
from bnbench.scoring.intervals import Interval
from bnbench.scoring.survival import median_steps, restricted_mean
from bnbench.scoring.tuning import Choice


@dataclass(frozen=True)
class Contender:
    """One entry at its learning rate. `times`, `steps` and `median` are None without a target.

    `comparison` and `final_difference` are with the reference; None for the reference itself and where no seed is
    shared. `test` is the metric on the test part at each seed's best validation step, lost seeds as in `final`.
    """

    entry: str
    norm: str
    cell_id: str
    choice: Choice
    times: SeedTimes | None
    steps: Interval | None
    median: float | None
    finals: SeedFinals
    final: Interval
    test: Interval
    diverged: int
    num_seeds: int
    comparison: Comparison | None = None
    final_difference: FinalDifference | None = None

    @property
    def faster(self) -> bool:
        """Whether it needs fewer steps than the reference, by the corrected test."""
        return self._decided and self._mean_difference > 0

    @property
    def slower(self) -> bool:
        """Whether it needs more steps than the reference, by the corrected test."""
        return self._decided and self._mean_difference < 0

    @property
    def final_verdict(self) -> str:
        """Return better, worse, no different or not decided."""
        return "not decided" if self.final_difference is None else self.final_difference.verdict

    @property
    def _decided(self) -> bool:
        return self.comparison is not None and self.comparison.decided

    @property
    def _mean_difference(self) -> float:
        return 0.0 if self.comparison is None else float(np.mean(self.comparison.pairs.differences))


def contender_of(tuned: TunedEntry, workload: WorkloadCurves, target: float | None) -> Contender:
    """Return what is known of an entry at its learning rate, not yet compared with any other."""
    entry = tuned.chosen
    times = times_of(entry, workload, target)
    possible = facts_of(workload.rules.metric).possible
    final, _ = final_metric(entry.finals, entry.diverged, trivial=entry.trivial, possible=possible)
    test, _ = final_metric(entry.tests, entry.diverged, trivial=entry.trivial, possible=possible)
    return Contender(
        entry=entry.entry,
        norm=entry.norm,
        cell_id=entry.cell_id,
        choice=tuned.choice,
        times=None if times is None else SeedTimes(entry.seeds, times),
        steps=None if times is None else restricted_mean(times),
        median=None if times is None else median_steps(times),
        finals=SeedFinals(entry.seeds, counted_finals(entry)),
        final=final,
        test=test,
        diverged=int(entry.diverged.sum()),
        num_seeds=len(entry.seeds),
    )


def compared(
    contenders: Sequence[Contender], *, reference: str, direction: str, trivial: float | None
) -> list[Contender]:
    """Return the contenders with their comparisons with the reference, fastest first, then best at the end."""
    anchor = next((each for each in contenders if each.entry == reference), None)
    others = [each for each in contenders if each is not anchor]
    if anchor is not None:
        finals = compare_finals(anchor.finals, [each.finals for each in others], direction=direction, trivial=trivial)
        others = [replace(each, final_difference=found) for each, found in zip(others, finals, strict=True)]
        if anchor.times is not None:
            times = [each.times for each in others if each.times is not None]
            steps = compare_with_reference(anchor.times, times)
            others = [replace(each, comparison=found) for each, found in zip(others, steps, strict=True)]
    every = [*others, *([anchor] if anchor is not None else [])]
    return sorted(every, key=lambda each: (mean_steps(each), final_loss(each, direction), each.entry))


def mean_steps(contender: Contender) -> float:
    """Return the restricted mean of its steps to target, infinity where it is not known."""
    return np.inf if contender.steps is None or contender.steps.estimate is None else contender.steps.estimate


def final_loss(contender: Contender, direction: str) -> float:
    """Return its final metric with the sign that makes less better, infinity where it is not known."""
    if contender.final.estimate is None:
        return np.inf
    return -contender.final.estimate if direction == "max" else contender.final.estimate
