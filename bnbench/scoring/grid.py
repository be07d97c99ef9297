"""Every entry of the tuned track at the learning rate chosen for it, and what has to be said of the choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bnbench.scoring.entry_curves import SCORING, TUNING, EntryCurves, WorkloadCurves, counted_finals, of_seeds
from bnbench.scoring.times import Times, time_to_target
from bnbench.scoring.tuning import Choice, Trial, choose_rate, ordered


@dataclass(frozen=True)
class TunedEntry:
    """One entry: its scored seeds by learning rate, what the tuning seeds say of each (best first), and the choice."""

    entry: str
    norm: str
    scored: Mapping[float, EntryCurves]
    trials: tuple[Trial, ...]
    choice: Choice

    @property
    def chosen(self) -> EntryCurves:
        return self.scored[self.choice.rate]


@dataclass(frozen=True)
class Grid:
    """The tuned track of one workload: all learning rates that were tried, ascending, and the entries.

    `unchosen` have several learning rates and no tuning seed to choose by, so that they cannot be scored. `unscored`
    are entries with the learning rates that have tuning seeds and no scored seed, so that they cannot be chosen.
    """

    rates: tuple[float, ...]
    entries: tuple[TunedEntry, ...]
    unchosen: tuple[str, ...]
    unscored: tuple[tuple[str, tuple[float, ...]], ...] = ()


def grid_of(workload: WorkloadCurves, *, target: float | None) -> Grid:
    """Return the entries of a workload of the tuned track at the learning rates chosen under `target`."""
    scored = _by_entry(workload.entries, SCORING)
    tuning = _by_entry(workload.entries, TUNING)
    entries = []
    unchosen = []
    for name, by_rate in scored.items():
        found = _tuned_entry(name, by_rate, tuning.get(name, {}), workload, target)
        if found is None:
            unchosen.append(name)
        else:
            entries.append(found)
    rates = {rate for by_rate in scored.values() for rate in by_rate}
    lacking = {name: tuple(sorted(by_rate.keys() - scored.get(name, {}).keys())) for name, by_rate in tuning.items()}
    unscored = tuple((name, without) for name, without in lacking.items() if without)
    return Grid(tuple(sorted(rates)), tuple(entries), tuple(unchosen), unscored)


def times_of(entry: EntryCurves, workload: WorkloadCurves, target: float | None) -> Times | None:
    """Return the times to `target` of the entry's seeds, None without a target."""
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


def _by_entry(entries: Sequence[EntryCurves], wanted: range) -> dict[str, dict[float, EntryCurves]]:
    found: dict[str, dict[float, EntryCurves]] = {}
    for entry in entries:
        within = of_seeds(entry, wanted)
        if within is not None and entry.learning_rate is not None:
            found.setdefault(entry.entry, {})[entry.learning_rate] = within
    return found


def _within(choice: Choice, tuning: Mapping[float, EntryCurves]) -> Choice:
    """No choice is at the edge where a rate beyond it was tried, though nothing can be scored there."""
    beyond = {"smallest": min(tuning) < choice.rate, "largest": max(tuning) > choice.rate}
    return replace(choice, edge=None) if choice.edge is not None and beyond[choice.edge] else choice


def _tuned_entry(
    name: str,
    scored: Mapping[float, EntryCurves],
    tuning: Mapping[float, EntryCurves],
    workload: WorkloadCurves,
    target: float | None,
) -> TunedEntry | None:
    """Return an entry at its learning rate; None where seeds to choose it by are missing."""
    trials = [
        Trial(
            rate,
            times_of(tuning[rate], workload, target),
            counted_finals(tuning[rate]),
            int(tuning[rate].diverged.sum()),
        )
        for rate in sorted(scored)
        if rate in tuning
    ]
    direction = workload.rules.direction
    if trials:
        choice = _within(choose_rate(trials, direction=direction), tuning)
    elif len(scored) == 1:
        choice = Choice(next(iter(scored)), None, 0)
    else:
        return None
    norm = next(iter(scored.values())).norm
    return TunedEntry(name, norm, scored, tuple(ordered(trials, direction=direction)), choice)
