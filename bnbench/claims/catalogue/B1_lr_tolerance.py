"""B1: how much larger a learning rate batch norm allows."""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from bnbench.claims.claim import Claim, Control, Cost, Figure, Measured, Paper, Part, Region, Setting, Values
from bnbench.claims.trained import Floats, Trained, curve, named, trained
from bnbench.records import Record
from bnbench.scoring.intervals import Interval, mean_interval

NORMS = ("none", "batch")
DEPTHS = (3, 10, 20)
JUDGED_DEPTHS = (10, 20)
TIMES = 10.0
# what a usable rate reaches of the way from the trivial accuracy to the best of the same norm and seed
SHARE = 0.9
# what that best reaches of the way to all right: below it nothing was learnt at any rate
LEARNT = 0.1
# of a minibatch; what goes beyond counts as not finite, as in the paper
LARGEST_LOSS = 1_000.0
# by how much smaller rates the planted batch norm needs than none
TIMES_SMALLER = 4.0


def measure(setting: Setting) -> Measured:
    """Train networks of each depth, with batch norm and without, at all learning rates."""
    width, depths = setting.choose(miniature=(32, JUDGED_DEPTHS), quick=(64, DEPTHS), full=(64, DEPTHS))
    overrides = setting.choose(
        miniature=(
            *("dataset=digits", "budget.max_steps=150", "budget.eval_every_steps=75"),
            "optimizer.lr=[0.00390625,0.015625,0.0625,0.25,1,4,16,64]",
        ),
        quick=(),
        full=("budget.max_steps=3000", "budget.eval_every_steps=100"),
    )
    hidden = ",".join(f"[{','.join([str(width)] * depth)}]" for depth in depths)
    runs = trained(setting.train("claim_b1_lr_tolerance", f"model.hidden={hidden}", *overrides), name=norm_and_depth)
    found = {f"{norm}, depth {depth}": named(runs, f"{norm}, depth {depth}") for norm in NORMS for depth in depths}
    grid = np.array([run.rate for run in next(iter(found.values()))])
    largest = {name: largest_rate(grid, converges(each)) for name, each in found.items()}
    return Measured(
        values={
            f"depth_{depth}": ratio(largest[f"none, depth {depth}"], largest[f"batch, depth {depth}"], grid)
            for depth in JUDGED_DEPTHS
        },
        series={
            "rate": grid,
            **{f"largest of {name}": rates for name, rates in largest.items()},
            **{name: 100 * finals(each) for name, each in found.items()},
        },
        remarks=tuple(remark(f"{norm}, depth {depth}", found, grid) for depth in depths for norm in NORMS),
    )


def norm_and_depth(record: Record) -> str:
    """Return what the runs at different rates share."""
    return f"{record.norm}, depth {len(record.config['model']['hidden'])}"


def finals(runs: Sequence[Trained]) -> Floats:
    """Return the last validation accuracies (seeds, rates)."""
    return np.stack([run.final for run in runs], axis=1)


def converges(runs: Sequence[Trained]) -> Floats:
    """Return at which rates each seed comes near the best of all rates (seeds, rates); nowhere if it learns nothing."""
    reached, trivial = finals(runs), runs[0].trivial
    best = reached.max(axis=1, keepdims=True)
    return (reached >= trivial + SHARE * (best - trivial)) & (best >= trivial + LEARNT * (1 - trivial))


def stays_finite(runs: Sequence[Trained]) -> Floats:
    """Return at which rates each seed neither diverges nor has a huge loss, learnt or not (seeds, rates)."""
    return np.stack([run.largest_loss <= LARGEST_LOSS for run in runs], axis=1)


def largest_rate(grid: Floats, usable: Floats) -> Floats:
    """Return each seed's largest usable rate (seeds,), NaN where none is.

    >>> largest_rate(np.array([0.1, 0.2, 0.4]), np.array([[True, True, False], [False, False, False]]))
    array([0.2, nan])
    """
    largest = np.where(usable, grid, -np.inf).max(axis=1)
    return np.where(np.isfinite(largest), largest, np.nan)


def ratio(none: Floats, batch: Floats, grid: Floats) -> Interval:
    """Return the geometric mean of batch ÷ none over seeds (seeds,), with its interval.

    Where a usable rate ends within a step of the grid is not known: the spread is never taken below that of two such
    roundings. Open where a norm's largest rate is the grid's, unknown where a seed has none that is usable.
    """
    if not np.isfinite([none, batch]).all():
        return Interval(None, None, None)
    octaves = float(np.diff(np.log2(grid)).max())
    found = mean_interval(np.log2(batch / none), least_spread=octaves * sqrt(2 / 12))
    estimate, low, high = (None if end is None else 2.0**end for end in (found.estimate, found.low, found.high))
    return Interval(estimate, None if (none == grid[-1]).any() else low, None if (batch == grid[-1]).any() else high)


def remark(name: str, found: dict[str, list[Trained]], grid: Floats) -> str:
    """Return a sentence on the largest rates by both criteria."""
    by_learning, by_loss = (
        np.nanmedian(largest_rate(grid, usable(found[name]))) for usable in (converges, stays_finite)
    )
    best = 100 * finals(found[name]).max(axis=1).mean()
    return (
        f"{name}: converges up to a learning rate of {by_learning:g} (median over seeds, best accuracy {best:.3g} %), "
        f"stays finite up to {by_loss:g}."
    )


def worse_than_none(measured: Measured) -> dict[str, Values]:
    """Return the ratios of a batch norm that is no norm and takes smaller rates only."""
    grid = np.asarray(measured.series["rate"])
    largest = {depth: np.asarray(measured.series[f"largest of none, depth {depth}"]) for depth in JUDGED_DEPTHS}
    return {f"depth_{depth}": ratio(rates, rates / TIMES_SMALLER, grid) for depth, rates in largest.items()}


def figure(measured: Measured) -> Figure:
    """Return the accuracy against the learning rate, of both norms at every depth."""
    series = measured.series
    curves = tuple(
        curve(name, np.asarray(series["rate"]), np.asarray(values), dashed=name.startswith("none"))
        for name, values in series.items()
        if name.startswith(NORMS)
    )
    return Figure("Accuracy by learning rate", "learning rate", "last validation accuracy, %", curves, log_x=True)


CLAIM = Claim(
    claim_id="B1_lr_tolerance",
    statement="Deep networks with batch norm train at much larger learning rates than those without",
    paper=Paper(
        authors="Bjorck, Gomes, Selman and Weinberger",
        year=2018,
        title="Understanding Batch Normalization",
        section="2 and 3",
        where="arXiv:1806.02375",
    ),
    scope="transfer",
    published="the paper has numbers for convolutional networks; they were not seen here",
    protocol=(
        "5,000 images of MNIST, 3, 10 and 20 layers of 64 ReLU units with He's initialisation, SGD on batches of 64 "
        "for 400 steps at the learning rates 2⁻¹⁰ … 2⁶ (the paper: a convolutional network of 110 layers)"
    ),
    statistic=(
        "largest rate with batch norm over the largest without one, geometric mean over seeds; a rate counts where the "
        f"last accuracy is within {100 * (1 - SHARE):g} % of the best at any rate of the same norm, counted from the "
        "trivial one. That the loss stays finite is not enough: with batch norm it does at rates that learn nothing"
    ),
    rule=(
        f"the 95 % interval lies above {TIMES:g} (in direction: above 1) at depths 10 and 20; depth 3 is shown and not "
        "judged, since the claim is about deep networks"
    ),
    cost=Cost(quick=2.0, full=40.0),
    parts=tuple(
        Part(
            f"depth_{depth}",
            statement=f"{depth} layers: batch norm takes rates at least {TIMES:g} times as large",
            holds=Region(low=TIMES),
            direction=Region(low=1.0),
            unit="×",
        )
        for depth in JUDGED_DEPTHS
    ),
    measure=measure,
    control=Control(
        statement=f"a batch norm that is no norm and needs {TIMES_SMALLER:g} times smaller rates takes larger ones",
        values=worse_than_none,
    ),
    figure=figure,
    experiment="claim_b1_lr_tolerance",
    seeds={"miniature": 4, "quick": 6, "full": 16},
)
