"""What the claims of the text that bnbench grew out of share: data sets, norms, runs, and the rate each norm is given.

Chosen before a run was looked at. Six real data sets of different kinds that cost nothing to obtain: small images, two
small tables, house prices, letters, mixed columns with gaps. Five norms, each beside `none` on the same seeds, and
seven learning rates half a decade apart for all of them: every norm is given the one that suits it, chosen on seeds
that are not judged, so that no norm is tuned better than another.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.claims.claim import Judged, Paper, Part, Region, Setting, Values
from bnbench.scoring.collect import collect
from bnbench.scoring.entry_curves import SCORING, SCORING_AND_TUNING, TUNING, EntryCurves, WorkloadCurves, of_seeds
from bnbench.scoring.stalled import STALLED_SHARE
from bnbench.scoring.tracks import tuned_records

EXPERIMENT = "claims_source_text"
REFERENCE = "none"
NORMS = ("batch", "layer", "group", "instance", "weight")
DATASETS = ("digits", "breast_cancer", "diabetes", "california", "letter", "adult")
PAPER = Paper(
    authors="the text that bnbench grew out of",
    year=None,
    title="",
    section="the three claims it makes for normalization in multilayer perceptrons",
)
PROTOCOL = (
    "Six real data sets × five norms and none: relu 100-100-100, plain gradient descent, batches of 60, 2,000 steps "
    "(quick: 400), seven learning rates from 0.003 to 3; paired seeds share initial weights and data order. The three "
    "claims share one training."
)

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Workload:
    """The runs of one data set, by norm and learning rate: of the seeds that are judged, and of those that tune."""

    dataset: str
    curves: WorkloadCurves
    judged: dict[str, dict[float, EntryCurves]]
    tuning: dict[str, dict[float, EntryCurves]]

    @property
    def sign(self) -> float:
        """Return 1 where a larger metric is better, −1 where a smaller one is."""
        return 1.0 if self.curves.rules.direction == "max" else -1.0

    @property
    def rates(self) -> tuple[float, ...]:
        """Return the learning rates, ascending."""
        return tuple(sorted(self.judged[REFERENCE]))


def parts(statement: str, *, holds: Region, unit: str, judged: Judged = "mean") -> tuple[Part, ...]:
    """Return one part per norm and data set, counted by norm."""
    return tuple(
        Part(
            part_name(norm, dataset),
            statement=f"{norm} on {dataset} {statement}",
            holds=holds,
            unit=unit,
            judged=judged,
            group=norm,
        )
        for norm in NORMS
        for dataset in DATASETS
    )


def part_name(norm: str, dataset: str) -> str:
    """Return a part's name."""
    return f"{norm} on {dataset}"


def workloads(setting: Setting) -> list[Workload]:
    """Train what the three claims share, once for all of them, and return it by data set."""
    overrides = setting.choose(
        miniature=(
            *("budget.max_steps=60", "budget.eval_every_steps=5", "optimizer.lr=[0.1,0.3]", "model.hidden=[32]"),
            "dataset.validation_fraction=0.05",
        ),
        quick=("budget.max_steps=400", "budget.eval_every_steps=20"),
        full=(),
    )
    records, _ = tuned_records(setting.train(EXPERIMENT, *overrides))
    collected, skipped = collect(records, reference=REFERENCE, seeds=SCORING_AND_TUNING)
    if skipped:
        raise ValueError(f"a run does not count: {skipped[0].path}: {skipped[0].reason}")
    found = {each.dataset: each for each in collected}
    return [_workload(found[dataset]) for dataset in DATASETS]


def by_part(found: Sequence[Workload], value: Callable[[Workload, str], Values]) -> dict[str, Values]:
    """Return `value` of every data set and norm by the name of its part."""
    return {part_name(norm, each.dataset): value(each, norm) for norm in NORMS for each in found}


def trains(workload: Workload, curves: EntryCurves) -> NDArray[np.bool_]:
    """Return which seeds (n,) neither diverge nor end within 5 % of the way from the trivial value to the target."""
    trivial, hard = float(curves.trivial or 0.0), float(workload.curves.targets["hard"])
    bound = trivial + STALLED_SHARE * (hard - trivial)
    ends: NDArray[np.bool_] = np.isfinite(curves.finals) & (workload.sign * (curves.finals - bound) > 0)
    return ends & ~curves.diverged


def counted(values: Floats, curves: EntryCurves) -> Floats:
    """Return the values (n,) with those of lost seeds at the trivial predictor's: none is dropped."""
    lost = curves.diverged | ~np.isfinite(values)
    return np.where(lost, float(curves.trivial or 0.0), values)


def best_rate(workload: Workload, norm: str) -> float:
    """Return the learning rate of the best mean validation metric on the seeds that tune; the smaller of equals."""
    means = {
        rate: workload.sign * float(counted(curves.bests, curves).mean())
        for rate, curves in sorted(workload.tuning[norm].items())
    }
    return max(means, key=means.__getitem__)


def rate_in_words(workload: Workload, rate: float) -> str:
    """Return a learning rate, and whether those tried end with it: then a norm might do better beyond."""
    tried = workload.rates
    ends = {tried[0]: " (the smallest tried)", tried[-1]: " (the largest tried)"} if len(tried) > 1 else {}
    return f"{rate:g}{ends.get(rate, '')}"


def _workload(curves: WorkloadCurves) -> Workload:
    return Workload(curves.dataset, curves, _by_norm(curves.entries, SCORING), _by_norm(curves.entries, TUNING))


def _by_norm(entries: Iterable[EntryCurves], wanted: range) -> dict[str, dict[float, EntryCurves]]:
    found: dict[str, dict[float, EntryCurves]] = {}
    for entry in entries:
        within = of_seeds(entry, wanted)
        if within is not None and entry.learning_rate is not None:
            found.setdefault(entry.norm, {})[entry.learning_rate] = within
    return found
