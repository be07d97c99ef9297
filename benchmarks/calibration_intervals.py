"""How often the 95 % intervals of the board hold the truth, in simulations whose truth is known."""

from collections.abc import Callable, Iterable, Sequence
from itertools import cycle, islice, product
from math import exp, log, sqrt
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from benchmarks.calibration_cases import SEEDS, Case, Floats, Pair, blocks
from bnbench.scoring import Times, final_metric, hit_rate, restricted_mean, speedup
from bnbench.scoring.geometric_mean import interval_of, log_ratio, mean_log_ratio
from bnbench.scoring.intervals import Interval
from bnbench.scoring.speedup import Speedup

Of = Callable[[Times], Interval]
OfPair = Callable[[Times, Times], Speedup | Interval]
AIM = (0.93, 0.97)


def measure_intervals(*, simulations: int, quick: bool = False) -> dict[str, Any]:
    """Return the coverage of every block of cases, by our intervals and by those of Student's t alone."""
    generator = np.random.default_rng(5)
    rows = []
    for shared, cases in blocks():
        if quick and (shared["tail"] != "log-normal" or shared["num_seeds"] != SEEDS[0]):
            continue
        found = [coverage(case, generator, simulations=simulations) for case in cases]
        quantities = {name: sorted(each[name] for each in found) for name in found[0]}
        rows.append(shared | {name: [values[0], values[-1]] for name, values in quantities.items()})
    few = (SEEDS[0],) if quick else SEEDS
    finals = [
        final_coverage(name, num_seeds, generator, simulations=simulations) for name, num_seeds in product(FINALS, few)
    ]
    anchored = [
        anchored_coverage(num_workloads, num_seeds, generator, simulations=max(1, simulations // 2))
        for num_workloads, num_seeds in product((2, 6), few)
    ]
    return {
        "simulations": simulations,
        "monte_carlo_error": sqrt(0.95 * 0.05 / simulations),
        "aim": list(AIM),
        "rows": rows,
        "finals": finals,
        "anchored": anchored,
    }


def coverage(
    case: Case,
    generator: np.random.Generator,
    *,
    simulations: int,
    of_mean: Of = restricted_mean,
    of_pair: OfPair = speedup,
) -> dict[str, float]:
    """Return the share of simulations in which each interval holds the truth."""
    drawn = case.draw(generator, num=simulations)
    mean, ratio = case.means[0], case.means[0] / case.means[1]
    means, logs = student(drawn)
    shares = {
        "speedup": share(holds(of_pair(*pair), ratio) for pair in drawn),
        "speedup_student": float(np.mean(np.abs(logs.middle - log(ratio)) <= logs.half)),
        "rmst": share(holds(of_mean(reference), mean) for reference, _ in drawn),
        "rmst_student": float(np.mean(np.abs(means.middle - mean) <= means.half)),
    }
    if case.censored:
        shares["hit_rate"] = share(holds(hit_rate(reference), case.hit_rates[0]) for reference, _ in drawn)
    return shares


def holds(interval: Speedup | Interval, truth: float) -> bool:
    """Return whether the interval holds the truth; one that is not formed holds nothing."""
    if interval.low is None or interval.high is None:
        return False
    return interval.low * (1 - 1e-9) <= truth <= interval.high * (1 + 1e-9)


def share(found: Iterable[bool]) -> float:
    """Return the share of True."""
    return float(np.mean(list(found)))


class Symmetric(NamedTuple):
    """Intervals middle ± half, (m,) of each."""

    middle: Floats
    half: Floats


def student(drawn: Sequence[Pair]) -> tuple[Symmetric, Symmetric]:
    """Return what the board's intervals took the place of, Student's t alone: of the mean, and of the log of the ratio.

    mean ± t(n−1)·s/√n; for the ratio by the paired delta method.
    """
    first, second = (np.array([pair[side].steps for pair in drawn], dtype=np.float64) for side in (0, 1))
    means = first.mean(axis=1), second.mean(axis=1)
    deviations = first / means[0][:, None] - second / means[1][:, None]
    return Symmetric(means[0], _half(first)), Symmetric(np.log(means[0] / means[1]), _half(deviations))


def _half(values: Floats) -> Floats:
    count = values.shape[1]
    half: Floats = stdtrit(count - 1, 0.975) * np.std(values, axis=1, ddof=1) / sqrt(count)
    return half


Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
FINALS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda generator, shape: generator.normal(0.9, 0.01, shape), 0.9),
    "error log-normal, spread 0.5": (
        lambda generator, shape: 1 - 0.1 * generator.lognormal(0, 0.5, shape),
        1 - 0.1 * exp(1 / 8),
    ),
    "one seed in five lost": (
        lambda generator, shape: np.where(generator.random(shape) < 0.2, 0.1, generator.normal(0.9, 0.01, shape)),
        0.8 * 0.9 + 0.2 * 0.1,
    ),
}


def final_coverage(name: str, num_seeds: int, generator: np.random.Generator, *, simulations: int) -> dict[str, Any]:
    """Return the coverage of the interval of the final metric where its values follow one of `FINALS`."""
    draw, truth = FINALS[name]
    finite = np.zeros(num_seeds, dtype=bool)
    drawn = draw(generator, (simulations, num_seeds))
    held = share(holds(final_metric(values, finite, trivial=0.1)[0], truth) for values in drawn)
    return {"law": name, "num_seeds": num_seeds, "final": held}


def anchored_coverage(
    num_workloads: int, num_seeds: int, generator: np.random.Generator, *, simulations: int
) -> dict[str, Any]:
    """Return the coverage of the geometric mean of speed-ups over workloads, half of them with unequal spreads."""
    kinds = [Case(num_seeds, correlation=0.3), Case(num_seeds, 0.2, 100.0, (0.2, 0.6), 0.3)]
    cases = list(islice(cycle(kinds), num_workloads))
    truth = exp(sum(log(case.means[0] / case.means[1]) for case in cases) / num_workloads)
    drawn = zip(*(case.draw(generator, num=simulations) for case in cases), strict=True)
    held = share(holds(anchored_interval(pairs), truth) for pairs in drawn)
    return {"num_workloads": num_workloads, "num_seeds": num_seeds, "anchored": held}


def anchored_interval(pairs: Sequence[Pair]) -> Interval:
    """Return the geometric mean of the speed-ups of one pair of entries per workload."""
    ratios = [ratio for ratio in (log_ratio(*pair) for pair in pairs) if ratio is not None]
    mean = mean_log_ratio(ratios)
    return Interval(exp(mean.value), *interval_of(mean))
