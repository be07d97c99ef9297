"""S2: with normalization training converges faster."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bnbench.claims.claim import Claim, Control, Cost, Measured, Region, Setting, Values
from bnbench.claims.source_text import (
    DATASETS,
    EXPERIMENT,
    NORMS,
    PAPER,
    PROTOCOL,
    REFERENCE,
    Workload,
    counted,
    part_name,
    parts,
    rate_in_words,
    workloads,
)
from bnbench.scoring.entry_curves import EntryCurves
from bnbench.scoring.intervals import Interval
from bnbench.scoring.speedup import Speedup, speedup
from bnbench.scoring.times import Times, time_to_target
from bnbench.scoring.tuning import Trial, choose_rate

SLOWED = 1.5


def measure(setting: Setting) -> Measured:
    """Compare the steps to target of every norm with those of none, each at the learning rate that suits it."""
    # the handful of steps of a miniature get to no better target
    level = setting.choose(miniature="easy", quick="medium", full="medium")
    races = [Race(each, float(each.curves.targets[level])) for each in workloads(setting)]
    values = {
        part_name(norm, race.dataset): ratio(race.reference, race.chosen(norm)) for norm in NORMS for race in races
    }
    slowed = {f"slowed on {race.dataset}": ends(ratio(race.reference, slower(race.reference))) for race in races}
    return Measured(values, slowed, remarks=tuple(remarks(races)))


@dataclass(frozen=True)
class Race:
    """The runs of one data set with the target they are to reach."""

    workload: Workload
    target: float

    @property
    def dataset(self) -> str:
        """Return the name of the data set."""
        return self.workload.dataset

    @property
    def reference(self) -> Times:
        """Return the steps to target without a norm."""
        return self.chosen(REFERENCE)

    def chosen(self, norm: str) -> Times:
        """Return the steps to target of the seeds that are judged, at the norm's own learning rate."""
        return self.at(norm, self.rate(norm))

    def at(self, norm: str, rate: float) -> Times:
        """Return the steps to target of the seeds that are judged at a learning rate."""
        return self.times(self.workload.judged[norm][rate])

    def rate(self, norm: str) -> float:
        """Return the learning rate that gets to the target fastest on the seeds that tune, by the board's own rule."""
        trials = [
            Trial(rate, self.times(curves), counted(curves.finals, curves), int(curves.diverged.sum()))
            for rate, curves in sorted(self.workload.tuning[norm].items())
        ]
        return choose_rate(trials, direction=self.workload.curves.rules.direction).rate

    def told(self, norm: str) -> str:
        """Return the norm's learning rate in words."""
        return f"{rate_in_words(self.workload, self.rate(norm))} on {self.dataset}"

    def times(self, curves: EntryCurves) -> Times:
        """Return the steps to target of every seed of a run."""
        rules = self.workload.curves.rules
        return time_to_target(
            curves.steps,
            curves.values,
            target=self.target,
            direction=rules.direction,
            budget=rules.max_steps,
            diverged_at_step=curves.diverged_at_step,
        )


def ratios(races: Sequence[Race]) -> Iterator[tuple[str, Interval]]:
    """Yield the name of every part with none's steps ÷ the norm's."""
    for norm in NORMS:
        for race in races:
            yield part_name(norm, race.dataset), ratio(race.reference, race.chosen(norm))


def slower(plain: Times) -> Times:
    """Return the times of one that takes half as many steps again, within the same budget."""
    taken = plain.steps * SLOWED
    return replace(plain, steps=np.minimum(taken, plain.budget), reached=plain.reached & (taken <= plain.budget))


def ratio(plain: Times, norm: Times) -> Interval:
    """Return none's steps ÷ the norm's with the interval; an end that misses leave unknown is open."""
    found: Speedup = speedup(plain, norm)
    if found.bound == "undefined":
        return Interval(found.estimate, None, None)
    low = None if found.bound == "at_most" else found.low
    high = None if found.bound == "at_least" else found.high
    return Interval(found.estimate, low, high)


def ends(interval: Interval) -> list[float]:
    """Return estimate, low and high, open ends as infinities, as a series holds them."""
    values = (interval.estimate, interval.low, interval.high)
    return [
        float(default if end is None else end) for end, default in zip(values, (np.nan, -np.inf, np.inf), strict=True)
    ]


def as_if_slower(measured: Measured) -> Mapping[str, Values]:
    """Return the values of none itself at two thirds of its speed."""
    return {part_name(norm, name): interval_of(measured, name) for norm in NORMS for name in DATASETS}


def interval_of(measured: Measured, dataset: str) -> Interval:
    """Return the interval that a series holds."""
    estimate, low, high = (float(end) for end in measured.series[f"slowed on {dataset}"])
    return Interval(
        None if np.isnan(estimate) else estimate,
        None if np.isinf(low) else low,
        None if np.isinf(high) else high,
    )


def remarks(races: Sequence[Race]) -> Iterator[str]:
    """Say which learning rates were chosen, and what remains of the difference at the rate that suits none."""
    yield "Secondary: learning rates chosen, and speed at the one that suits none best."
    cadence = races[0].workload.curves.rules.eval_every_steps
    steps = ", ".join(f"{float(race.reference.steps.mean()):.0f} on {race.dataset}" for race in races)
    yield f"Steps without a norm: {steps}; evaluated every {cadence}, and finer than that nothing is told apart."
    unknown = sum(value.low is None and value.high is None for _, value in ratios(races))
    yield f"{unknown} of {len(NORMS) * len(races)} intervals are unknown, since some seeds of both never get there."
    base = {race.dataset: race.rate(REFERENCE) for race in races}
    yield f"none: at {', '.join(race.told(REFERENCE) for race in races)}."
    for norm in NORMS:
        rates = ", ".join(race.told(norm) for race in races)
        same = [ratio(race.reference, race.at(norm, base[race.dataset])) for race in races]
        faster = sum(one.low is not None and one.low > 1 for one in same)
        behind = sum(one.high is not None and one.high < 1 for one in same)
        yield f"{norm}: at {rates}; at none's rates faster on {faster}, slower on {behind} of {len(races)}."


CLAIM = Claim(
    claim_id="S2_faster",
    statement="With normalization a multilayer perceptron converges faster",
    paper=PAPER,
    scope="exact",
    protocol=PROTOCOL,
    experiment=EXPERIMENT,
    statistic=(
        "Restricted mean of the steps to the data set's medium target (80 % of the way from the trivial predictor to "
        "the better of tuned none and batch; how good it gets in the end is another claim), none ÷ norm over paired "
        "seeds, each at the learning rate that gets there fastest on other seeds. A miss makes the ratio a bound, "
        "misses of both leave it unknown."
    ),
    rule="Holds where the norm needs at most 1/1.1 of the steps: a difference below a tenth is none that matters.",
    cost=Cost(quick=8, full=90),
    parts=parts(
        "reaches the target in fewer steps than none", holds=Region(low=1.1), unit="×", judged="geometric mean"
    ),
    measure=measure,
    control=Control("none itself, at two thirds of its speed", as_if_slower),
)
