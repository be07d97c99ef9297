"""Which norm for this data set: every entry at the learning rate chosen for it, against the reference at its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from bnbench.metric_facts import facts_of
from bnbench.records import Record, canonical_json
from bnbench.scoring.collect import TUNING, EntryCurves, WorkloadCurves, collect, newest_ladder
from bnbench.scoring.comparison import Comparison, SeedTimes, compare_with_reference
from bnbench.scoring.final import final_metric
from bnbench.scoring.final_difference import FinalDifference, SeedFinals, compare_finals
from bnbench.scoring.intervals import Interval, mean_interval
from bnbench.scoring.survival import median_steps, restricted_mean
from bnbench.scoring.times import Floats, Times, time_to_target
from bnbench.scoring.tuning import Choice, Trial, choose_rate

LEVEL = "hard"
TUNED = "tuned"
Why = Literal["faster", "better", "nothing better", "no reference"]


@dataclass(frozen=True)
class Contender:
    """One entry at its learning rate. `times`, `steps` and `median` are None without a target.

    `comparison` and `final_difference` are with the reference; None for the reference itself and where no seed is
    shared. `test` is the metric on the test part at each seed's best validation step.
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


@dataclass(frozen=True)
class Answer:
    """Which entry to use on one data set, and what is known of the others; `winner` is one of `contenders`.

    `why`: "faster" than the reference and not worse at the end; else "better" at the end and not slower; else there is
    "nothing better" than the reference, which wins; without a reference nobody does.
    """

    dataset: str
    path: str | None
    metric: str
    direction: str
    trivial: float | None
    target: float | None
    provenance: str
    other_ladders: int
    max_steps: int
    eval_every_steps: int
    reference: str
    rates: tuple[float, ...]
    contenders: tuple[Contender, ...]
    winner: Contender | None
    why: Why

    @property
    def reference_contender(self) -> Contender | None:
        """Return the reference among the contenders."""
        return next((each for each in self.contenders if each.entry == self.reference), None)


def answers(records: Sequence[Record], *, reference: str = "none") -> list[Answer]:
    """Return one answer per workload of the tuned track, learning rates apart; records of other tracks say nothing.

    A cell counts whatever track its older records were made for: only its seeds matter, and those that choose the
    learning rate are never those that are scored.
    """
    workloads = {_without_rate(record) for record in records if record.track == TUNED}
    found = []
    for workload in sorted(workloads):
        own = [replace(record, track=TUNED) for record in records if _without_rate(record) == workload]
        scored, _ = collect(own, reference=reference)
        tuning, _ = collect(own, reference=reference, seeds=TUNING)
        if scored:
            found.append(_answer(scored, tuning, newest_ladder(own), reference=reference))
    return sorted(found, key=lambda answer: answer.dataset)


def _without_rate(record: Record) -> str:
    workload: Mapping[str, Any] = record.identity["workload"]
    optimizer = {key: value for key, value in workload.get("optimizer", {}).items() if key != "lr"}
    return canonical_json({**workload, "optimizer": optimizer})


def _answer(
    scored: Sequence[WorkloadCurves],
    tuning: Sequence[WorkloadCurves],
    ladder: tuple[dict[str, Any], int],
    *,
    reference: str,
) -> Answer:
    first = scored[0]
    targets, other_ladders = ladder
    target = None if targets.get(LEVEL) is None else float(targets[LEVEL])
    trials = _by_entry(tuning)
    contenders = [
        contender
        for entry, by_rate in _by_entry(scored).items()
        if (contender := _contender(by_rate, trials.get(entry, {}), first, target)) is not None
    ]
    trivial = next((entry.trivial for each in scored for entry in each.entries), None)
    contenders = _compared(contenders, reference=reference, direction=first.rules.direction, trivial=trivial)
    winner, why = choose_winner(contenders, reference=reference, direction=first.rules.direction)
    return Answer(
        dataset=first.dataset,
        path=(first.config.get("dataset") or {}).get("path"),
        metric=first.rules.metric,
        direction=first.rules.direction,
        trivial=trivial,
        target=target,
        provenance=str(targets.get("provenance") or "none"),
        other_ladders=other_ladders,
        max_steps=first.rules.max_steps,
        eval_every_steps=first.rules.eval_every_steps,
        reference=reference,
        rates=tuple(sorted(_rate(each) for each in scored)),
        contenders=tuple(contenders),
        winner=winner,
        why=why,
    )


def _rate(workload: WorkloadCurves) -> float:
    return float(workload.config["optimizer"]["lr"])


def _by_entry(workloads: Sequence[WorkloadCurves]) -> dict[str, dict[float, EntryCurves]]:
    found: dict[str, dict[float, EntryCurves]] = {}
    for workload in workloads:
        for entry in workload.entries:
            found.setdefault(entry.entry, {})[_rate(workload)] = entry
    return found


def _contender(
    scored: Mapping[float, EntryCurves],
    tuning: Mapping[float, EntryCurves],
    workload: WorkloadCurves,
    target: float | None,
) -> Contender | None:
    """Return an entry at its learning rate; None where seeds to choose it by are missing."""
    trials = [
        Trial(rate, _times(tuning[rate], workload, target), _finals(tuning[rate]), int(tuning[rate].diverged.sum()))
        for rate in scored
        if rate in tuning
    ]
    if trials:
        choice = choose_rate(trials, direction=workload.rules.direction)
    elif len(scored) == 1:
        choice = Choice(next(iter(scored)), None, 0)
    else:
        return None
    entry = scored[choice.rate]
    times = _times(entry, workload, target)
    possible = facts_of(workload.rules.metric).possible
    final, _ = final_metric(entry.finals, entry.diverged, trivial=entry.trivial, possible=possible)
    return Contender(
        entry=entry.entry,
        norm=entry.norm,
        cell_id=entry.cell_id,
        choice=choice,
        times=None if times is None else SeedTimes(entry.seeds, times),
        steps=None if times is None else restricted_mean(times),
        median=None if times is None else median_steps(times),
        finals=SeedFinals(entry.seeds, _finals(entry)),
        final=final,
        test=mean_interval(entry.tests[np.isfinite(entry.tests)]),
        diverged=int(entry.diverged.sum()),
        num_seeds=len(entry.seeds),
    )


def _times(entry: EntryCurves, workload: WorkloadCurves, target: float | None) -> Times | None:
    if target is None:
        return None
    return time_to_target(
        entry.steps,
        entry.values,
        target=target,
        direction=workload.rules.direction,
        budget=workload.rules.max_steps,
        diverged_at_step=entry.diverged_at_step,
    )


def _finals(entry: EntryCurves) -> Floats:
    """Return the final metric of every seed; one that was lost counts as the trivial predictor."""
    lost = entry.diverged | ~np.isfinite(entry.finals)
    return np.where(lost, np.nan if entry.trivial is None else entry.trivial, entry.finals)


def _compared(
    contenders: Sequence[Contender], *, reference: str, direction: str, trivial: float | None
) -> list[Contender]:
    """Return the contenders with their comparisons with the reference, fastest first, then best at the end."""
    anchor = next((each for each in contenders if each.entry == reference), None)
    others = [each for each in contenders if each is not anchor]
    if anchor is not None:
        finals = compare_finals(anchor.finals, [each.finals for each in others], direction=direction, trivial=trivial)
        others = [replace(each, final_difference=found) for each, found in zip(others, finals, strict=True)]
        if anchor.times is not None:
            compared = compare_with_reference(anchor.times, [each.times for each in others if each.times is not None])
            others = [replace(each, comparison=found) for each, found in zip(others, compared, strict=True)]
    every = [*others, *([anchor] if anchor is not None else [])]
    return sorted(every, key=lambda each: (_steps(each), _loss(each, direction), each.entry))


def choose_winner(contenders: Sequence[Contender], *, reference: str, direction: str) -> tuple[Contender | None, Why]:
    """Return the entry to use, and why.

    The fastest of those that are faster than the reference and not worse at the end; else the best at the end of those
    that are better there and not slower; else the reference. Faster, slower, better and worse follow corrected tests.
    """
    faster = [each for each in contenders if each.faster and each.final_verdict != "worse"]
    if faster:
        return min(faster, key=_steps), "faster"
    better = [each for each in contenders if each.final_verdict == "better" and not each.slower]
    if better:
        return min(better, key=lambda each: _loss(each, direction)), "better"
    anchor = next((each for each in contenders if each.entry == reference), None)
    return anchor, "no reference" if anchor is None else "nothing better"


def _steps(contender: Contender) -> float:
    return np.inf if contender.steps is None or contender.steps.estimate is None else contender.steps.estimate


def _loss(contender: Contender, direction: str) -> float:
    if contender.final.estimate is None:
        return np.inf
    return -contender.final.estimate if direction == "max" else contender.final.estimate
