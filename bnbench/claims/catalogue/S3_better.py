"""S3: with normalization models are better."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bnbench.claims.claim import Claim, Control, Cost, Measured, Region, Setting, Values
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
    rate_in_words,
    workloads,
)

MARGIN = 1.0


def measure(setting: Setting) -> Measured:
    """Compare the test metric of every norm with that of none, each at the learning rate that suits it."""
    found = workloads(setting)
    values = by_part(found, gained)
    return Measured(
        values,
        {f"none on {each.dataset}": way(each, REFERENCE) for each in found},
        remarks=tuple(remarks(found)),
    )


def tested(workload: Workload, norm: str) -> Floats:
    """Return the test metric (n,) at the step that is best on the validation part, at the best learning rate."""
    curves = workload.judged[norm][best_rate(workload, norm)]
    return counted(curves.tests, curves)


def way(workload: Workload, norm: str) -> Floats:
    """Return how far each seed (n,) gets, in percent of the way from the trivial predictor to none's mean."""
    trivial = float(next(iter(workload.judged[REFERENCE].values())).trivial or 0.0)
    return 100.0 * (tested(workload, norm) - trivial) / (float(tested(workload, REFERENCE).mean()) - trivial)


def gained(workload: Workload, norm: str) -> Floats:
    """Return how much further than none each seed (n,) gets."""
    return way(workload, norm) - way(workload, REFERENCE)


def as_if_worse(measured: Measured) -> Mapping[str, Values]:
    """Return the values of none itself, every seed one margin worse than it is."""
    return {
        part_name(norm, name): np.full(len(measured.series[f"none on {name}"]), -MARGIN)
        for norm in NORMS
        for name in DATASETS
    }


def remarks(found: Sequence[Workload]) -> Iterator[str]:
    """Say what the test metrics are in their own units."""
    yield "Test metric, mean over seeds, each norm at the learning rate that suits it:"
    for each in found:
        told = ", ".join(
            f"{norm} {tested(each, norm).mean():.4g} at {rate_in_words(each, best_rate(each, norm))}"
            for norm in (REFERENCE, *NORMS)
        )
        yield f"{each.dataset} ({each.curves.rules.metric}, {each.curves.rules.direction}): {told}."


CLAIM = Claim(
    claim_id="S3_better",
    statement="With normalization multilayer perceptrons become better models",
    paper=PAPER,
    scope="exact",
    protocol=PROTOCOL,
    experiment=EXPERIMENT,
    statistic=(
        "Test metric at the step that is best on the validation part, norm minus none on the same seed, each at the "
        "learning rate with the best validation metric on other seeds; in percent of the way from the trivial "
        "predictor to none. A seed that is lost counts as the trivial predictor."
    ),
    rule="Holds where the norm gets at least 1 % further than none: less is none that matters.",
    cost=Cost(quick=8, full=90),
    parts=parts("gets further than none", holds=Region(low=MARGIN), unit="%"),
    measure=measure,
    control=Control("none itself, every seed 1 % worse than it is", as_if_worse),
)
