"""What a claim that trains reads of its records: curves of paired seeds, final metrics, steps to a level."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from bnbench.claims.claim import Curve
from bnbench.records import Record
from bnbench.scoring.intervals import Interval, mean_interval
from bnbench.scoring.speedup import speedup
from bnbench.scoring.times import Times, time_to_target

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The runs of one configuration at one learning rate, for a metric that is better the larger it is.

    `metric` and `train_loss` are (seeds, evaluations), NaN from the step on at which a seed diverged; `tested` (seeds,)
    is the test metric at the step that validation chose, `largest_loss` (seeds,) that of any minibatch, inf where it
    diverged. `trivial` is what a predictor without a network reaches: as much as a seed that diverged counts.
    """

    name: str
    rate: float
    seeds: NDArray[np.int64]
    steps: NDArray[np.int64]
    metric: Floats
    train_loss: Floats
    tested: Floats
    largest_loss: Floats
    diverged: NDArray[np.bool_]
    trivial: float

    @property
    def final(self) -> Floats:
        """Return every seed's last validation metric (seeds,)."""
        return np.where(self.diverged, self.trivial, self.metric[:, -1])

    @property
    def score(self) -> Floats:
        """Return every seed's test metric (seeds,)."""
        return np.where(self.diverged, self.trivial, self.tested)


def name_of_norm(record: Record) -> str:
    """Return the norm's name, by which most claims tell their runs apart."""
    return record.norm


def trained(records: Iterable[Record], *, name: Callable[[Record], str] = name_of_norm) -> list[Trained]:
    """Return the runs of every name and learning rate, by name and then by rate.

    Raises ValueError where the runs are not pairs: other seeds or other evaluations than the rest.
    """
    groups: dict[tuple[str, float], list[Record]] = {}
    for record in records:
        groups.setdefault((name(record), float(record.config["optimizer"]["lr"])), []).append(record)
    found = [_joined(*key, groups[key]) for key in sorted(groups)]
    for each in found[1:]:
        if not (np.array_equal(each.seeds, found[0].seeds) and np.array_equal(each.steps, found[0].steps)):
            raise ValueError(f"{each.name} at {each.rate:g} and {found[0].name} at {found[0].rate:g} are no pairs")
    return found


def named(runs: Sequence[Trained], name: str) -> list[Trained]:
    """Return the runs of one name, by rate; raises ValueError where there are none."""
    chosen = [each for each in runs if each.name == name]
    if not chosen:
        raise ValueError(f"no runs of {name!r} among those of {sorted({each.name for each in runs})}")
    return chosen


def best_rate(runs: Sequence[Trained], name: str) -> Trained:
    """Return the runs of a name at the rate with the best mean of the last validation metrics, the smaller in a tie.

    Every name must have been given the same rates; what is scored then is the test part, which nothing is chosen by.
    """
    return max(named(runs, name), key=lambda each: float(each.final.mean()))


def rate_in_words(run: Trained, runs: Sequence[Trained]) -> str:
    """Return the learning rate of these runs, and whether those tried under this name end with it."""
    rates = [each.rate for each in named(runs, run.name)]
    ends = {rates[0]: ", the smallest tried", rates[-1]: ", the largest tried"} if len(rates) > 1 else {}
    return f"{run.rate:g}{ends.get(run.rate, '')}"


def steps_to(run: Trained, level: Floats, *, values: Floats | None = None) -> Times:
    """Return the first evaluation at which each seed is at its own `level` (seeds,) or above.

    `values` (seeds, evaluations) are the validation metric unless given.
    """
    curves = run.metric if values is None else values
    return time_to_target(
        run.steps.astype(np.float64),
        curves - level[:, None],
        target=0.0,
        direction="max",
        budget=float(run.steps[-1]),
    )


def ratio_of_steps(reference: Times, entry: Times) -> Interval:
    """Return how many times as many steps the reference takes, as on the boards; an end that is censored is open."""
    ratio = speedup(reference, entry)
    low = None if ratio.bound in ("at_most", "undefined") else ratio.low
    high = None if ratio.bound in ("at_least", "undefined") else ratio.high
    return Interval(ratio.estimate, low, high)


def ratio_to_slower(steps: Floats, *, times_slower: float) -> Interval:
    """Return the ratio of steps (seeds,) to those of an entry that takes so many times as long: for planted controls.

    >>> ratio_to_slower(np.array([100.0, 100.0, 100.0]), times_slower=2.0).estimate
    0.5
    """
    reached, budget = np.full(len(steps), fill_value=True), times_slower * float(steps.max())
    return ratio_of_steps(Times(steps, reached, budget), Times(times_slower * steps, reached, budget))


def curve(name: str, x: Sequence[float] | Floats, values: Floats, *, dashed: bool = False) -> Curve:
    """Return a figure's curve: at every point of `x` (points,) the mean of `values` (seeds, points), with its interval.

    Values that are not finite are left out of their point, and a point where nothing is left is not drawn.
    """
    points = []
    for place, column in zip(np.asarray(x, dtype=np.float64).tolist(), np.asarray(values).T, strict=True):
        known = column[np.isfinite(column)]
        interval = mean_interval(known)
        if interval.estimate is not None:
            ends = (interval.estimate if end is None else end for end in (interval.low, interval.high))
            points.append((place, interval.estimate, *ends))
    places, middle, low, high = zip(*points, strict=True) if points else ((), (), (), ())
    return Curve(name, places, middle, low=low, high=high, dashed=dashed)


def _joined(name: str, rate: float, records: Sequence[Record]) -> Trained:
    """Put the records of one cell together: seeds may have been trained at different times."""
    first = records[0]
    metric = first.metric["name"]
    if first.metric["direction"] != "max":
        raise ValueError(f"{first.path}: {metric} is better the smaller it is; expected one that is to be large")
    results = {int(seed["seed"]): seed for record in records for seed in record.seeds}
    seeds = np.array(sorted(results), dtype=np.int64)
    histories = [record.history(("seed", "step", f"val_{metric}", "train_loss")) for record in records]
    rows = {key: np.concatenate([history[key] for history in histories]) for key in histories[0]}
    budget = first.config["budget"]
    steps = np.unique([*range(0, budget["max_steps"], budget["eval_every_steps"]), budget["max_steps"]])
    place = np.searchsorted(seeds, rows["seed"]), np.searchsorted(steps, rows["step"])

    def table(column: str) -> Floats:
        values = np.full((len(seeds), len(steps)), np.nan)
        values[place] = rows[column]
        return values

    def each(read: Callable[[dict[str, object]], object]) -> Floats:
        return np.array([read(results[int(seed)]) for seed in seeds], dtype=np.float64)

    diverged = np.array([results[int(seed)]["status"] == "diverged" for seed in seeds])
    return Trained(
        name=name,
        rate=rate,
        seeds=seeds,
        steps=steps,
        metric=table(f"val_{metric}"),
        train_loss=table("train_loss"),
        tested=each(lambda result: result["final"][f"test_{metric}"]),  # type: ignore[index]  # a run.json
        largest_loss=np.where(diverged, inf, each(lambda result: result["max_loss"])),
        diverged=diverged,
        trivial=float(first.metric["trivial"]),
    )
