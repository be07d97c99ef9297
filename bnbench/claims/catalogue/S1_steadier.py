"""S1: with normalization training is steadier."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf

import numpy as np

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Region, Setting, Values
from bnbench.claims.source_text import (
    DATASETS,
    EXPERIMENT,
    NORMS,
    PAPER,
    PROTOCOL,
    REFERENCE,
    Floats,
    Workload,
    best_rate,
    by_part,
    counted,
    part_name,
    parts,
    trains,
    workloads,
)
from bnbench.scoring.entry_curves import EntryCurves
from bnbench.scoring.spread import interquartile_range


def measure(setting: Setting) -> Measured:
    """Count, for every seed, the learning rates at which it trains, and take those of none from those of the norm."""
    found = workloads(setting)
    values = by_part(found, lambda each, norm: table(each, norm).sum(0) - table(each, REFERENCE).sum(0))
    less = {f"one rate less on {each.dataset}": one_rate_less(table(each, REFERENCE)) for each in found}
    shares = {norm: np.mean([table(each, norm).mean(1) for each in found], 0) for norm in (REFERENCE, *NORMS)}
    return Measured(values, {"rates": found[0].rates, **shares, **less}, remarks=tuple(remarks(found)))


def table(workload: Workload, norm: str) -> Floats:
    """Return where seeds train (rates, n): 1 or 0."""
    by_rate = workload.judged[norm]
    return np.stack([trains(workload, by_rate[rate]) for rate in workload.rates]).astype(float)


def one_rate_less(plain: Floats) -> Floats:
    """Return how many rates (n,) a norm gains that trains at a rate where none does at the next larger one."""
    shifted = np.concatenate([plain[1:], np.zeros_like(plain[:1])])
    return shifted.sum(0) - plain.sum(0)


def as_if_touchier(measured: Measured) -> Mapping[str, Values]:
    """Return the values of a norm that bears every learning rate as none bears the next larger one."""
    return {part_name(norm, name): measured.series[f"one rate less on {name}"] for norm in NORMS for name in DATASETS}


def remarks(found: Sequence[Workload]) -> Iterator[str]:
    """Say what else was seen at the learning rate that suits each norm: lost seeds, spikes, spread over seeds."""
    yield (
        "An interval without width is of seeds that all count the same rates; where between two rates of the grid "
        "training ends is not known."
    )
    yield "Secondary, at the learning rate that suits each norm, over all data sets:"
    for norm in (REFERENCE, *NORMS):
        chosen = [(each, each.judged[norm][best_rate(each, norm)]) for each in found]
        plain = [each.judged[REFERENCE][best_rate(each, REFERENCE)] for each in found]
        lost = sum(int((~trains(each, curves)).sum()) for each, curves in chosen)
        seeds = sum(len(curves.seeds) for _, curves in chosen)
        spikes = float(np.mean([np.nanmean(curves.spikes) for _, curves in chosen]))
        tighter = sum(spread(curves) < spread(base) for (_, curves), base in zip(chosen, plain, strict=True))
        said = (
            ""
            if norm == REFERENCE
            else f", spread of final values over seeds smaller than none's on {tighter} of {len(found)}"
        )
        yield f"{norm}: {lost} of {seeds} seeds lost, {spikes:.2g} loss spikes per training{said}."


def spread(curves: EntryCurves) -> float:
    """Return the interquartile range of the final metric over seeds, infinite where it is not known."""
    found = interquartile_range(counted(curves.finals, curves))
    return inf if found is None else found


def figure(measured: Measured) -> Figure:
    """Draw the share of seeds that train over the learning rate."""
    return Figure(
        title="Which learning rates train (mean over six data sets)",
        x="learning rate",
        y="share of seeds that train",
        curves=tuple(
            Curve(norm, measured.series["rates"], measured.series[norm], dashed=norm == REFERENCE)
            for norm in (REFERENCE, *NORMS)
        ),
        log_x=True,
    )


CLAIM = Claim(
    claim_id="S1_steadier",
    statement="With normalization the training of a multilayer perceptron is steadier",
    paper=PAPER,
    scope="exact",
    protocol=PROTOCOL,
    experiment=EXPERIMENT,
    statistic=(
        "Per seed, the number of the seven learning rates at which it trains (it does not diverge, and ends beyond 5 % "
        "of the way from the trivial predictor to the hard target), norm minus none on the same seed. Chosen because "
        "to be steady is to bear settings that nobody tuned; secondary: lost seeds, loss spikes, spread over seeds."
    ),
    rule="Holds where the norm bears at least half a learning rate of the grid (a factor of 1.8) more than none.",
    cost=Cost(quick=8, full=90),
    parts=parts("gains learning rates that train", holds=Region(low=0.5), unit="rates"),
    measure=measure,
    control=Control(
        "a norm that bears every learning rate only as well as none bears the next larger one", as_if_touchier
    ),
    figure=figure,
)
