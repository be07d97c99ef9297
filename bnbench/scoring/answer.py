"""Which norm for this data set: every entry at the learning rate chosen for it, against the reference at its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bnbench.records import Record
from bnbench.scoring.collect import collect
from bnbench.scoring.contender import Contender, compared, contender_of, final_loss, mean_steps
from bnbench.scoring.entry_curves import SCORING_AND_TUNING, WorkloadCurves
from bnbench.scoring.grid import grid_of
from bnbench.scoring.tracks import tuned_records

LEVEL = "hard"
Why = Literal["faster", "better", "nothing better", "no reference"]


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
    tuned, _ = tuned_records(records, every_cell=True)
    workloads, _ = collect(tuned, reference=reference, seeds=SCORING_AND_TUNING)
    found = [_answer(workload, reference=reference) for workload in workloads]
    return sorted((answer for answer in found if answer is not None), key=lambda answer: answer.dataset)


def _answer(workload: WorkloadCurves, *, reference: str) -> Answer | None:
    target = None if workload.targets.get(LEVEL) is None else float(workload.targets[LEVEL])
    grid = grid_of(workload, target=target)
    if not grid.rates:
        return None  # nothing but seeds to tune on
    rules = workload.rules
    trivial = next((entry.trivial for entry in workload.entries), None)
    contenders = compared(
        [contender_of(entry, workload, target) for entry in grid.entries],
        reference=reference,
        direction=rules.direction,
        trivial=trivial,
    )
    winner, why = choose_winner(contenders, reference=reference, direction=rules.direction)
    return Answer(
        dataset=workload.dataset,
        path=(workload.config.get("dataset") or {}).get("path"),
        metric=rules.metric,
        direction=rules.direction,
        trivial=trivial,
        target=target,
        provenance=str(workload.targets.get("provenance") or "none"),
        other_ladders=workload.other_ladders,
        max_steps=rules.max_steps,
        eval_every_steps=rules.eval_every_steps,
        reference=reference,
        rates=grid.rates,
        contenders=tuple(contenders),
        winner=winner,
        why=why,
    )


def choose_winner(contenders: Sequence[Contender], *, reference: str, direction: str) -> tuple[Contender | None, Why]:
    """Return the entry to use, and why.

    The fastest of those that are faster than the reference and not worse at the end; else the best at the end of those
    that are better there and not slower; else the reference. Faster, slower, better and worse follow corrected tests.
    """
    faster = [each for each in contenders if each.faster and each.final_verdict != "worse"]
    if faster:
        return min(faster, key=mean_steps), "faster"
    better = [each for each in contenders if each.final_verdict == "better" and not each.slower]
    if better:
        return min(better, key=lambda each: final_loss(each, direction)), "better"
    anchor = next((each for each in contenders if each.entry == reference), None)
    return anchor, "no reference" if anchor is None else "nothing better"
