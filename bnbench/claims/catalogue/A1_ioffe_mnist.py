"""A1: batch norm in the sigmoid network of the paper that introduced it."""

from collections.abc import Sequence

import numpy as np

from bnbench.claims.claim import Claim, Control, Cost, Figure, Measured, Paper, Part, Region, Setting, Values
from bnbench.claims.trained import Trained, best_rate, curve, named, ratio_of_steps, ratio_to_slower, steps_to, trained

# what the planted batch norm is worse by than none
POINTS_LOST = 5.0
TIMES_SLOWER = 2.0


def measure(setting: Setting) -> Measured:
    """Train the network with and without batch norm at the same learning rates."""
    overrides = setting.choose(
        miniature=("dataset=digits", "budget.max_steps=300", "budget.eval_every_steps=10", "optimizer.lr=[0.1,0.5]"),
        quick=(),
        full=("dataset=fashion_mnist", "budget.max_steps=50000", "budget.eval_every_steps=100"),
    )
    runs = trained(setting.train("claim_a1_ioffe_mnist", *overrides))
    none, batch = best_rate(runs, "none"), best_rate(runs, "batch")
    of_none = steps_to(none, none.final)
    return Measured(
        values={
            "accuracy": 100 * (batch.score - none.score),
            "steps": ratio_of_steps(of_none, steps_to(batch, none.final)),
        },
        series={
            "step": runs[0].steps,
            "steps of none": of_none.steps,
            **{f"{run.name} at {run.rate:g}": 100 * run.metric for run in runs},
        },
        remarks=(
            f"The best learning rate was {none.rate:g} without a norm and {batch.rate:g} with batch norm.",
            *at_equal_rates(runs),
        ),
    )


def at_equal_rates(runs: Sequence[Trained]) -> list[str]:
    """Return a sentence on every learning rate at which both were trained."""
    said = []
    for none, batch in zip(named(runs, "none"), named(runs, "batch"), strict=True):
        ratio = ratio_of_steps(steps_to(none, none.final), steps_to(batch, none.final)).estimate
        said.append(
            f"Both at {none.rate:g}: test accuracy {100 * none.score.mean():.3g} % without a norm, "
            f"{100 * batch.score.mean():.3g} % with; {'no ratio' if ratio is None else f'{ratio:.2g} times'} of the "
            "steps to the accuracy that none ends with."
        )
    return said


def worse_than_none(measured: Measured) -> dict[str, Values]:
    """Return what the parts would be of a batch norm that is no norm, less accurate and slower."""
    steps = np.asarray(measured.series["steps of none"])
    lost = np.full(len(steps), -POINTS_LOST)
    return {"accuracy": lost, "steps": ratio_to_slower(steps, times_slower=TIMES_SLOWER)}


def figure(measured: Measured) -> Figure:
    """Return the learning curves at every learning rate."""
    curves = tuple(
        curve(name, measured.series["step"], np.asarray(values), dashed=name.startswith("none"))
        for name, values in measured.series.items()
        if " at " in name
    )
    return Figure("Three layers of 100 sigmoid units", "step", "validation accuracy, %", curves)


CLAIM = Claim(
    claim_id="A1_ioffe_mnist",
    statement=(
        "In a network of three layers of 100 sigmoid units on MNIST, batch norm gives higher test accuracy and trains "
        "faster"
    ),
    paper=Paper(
        authors="Ioffe and Szegedy",
        year=2015,
        title="Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift",
        section="4.1, figure 1",
        where="arXiv:1502.03167",
    ),
    scope="exact",
    protocol=(
        "5,000 grey images of MNIST, since all of it is in no installable package (the paper: 60,000 binary ones; the "
        "full setting takes Fashion-MNIST); small Gaussian weights, SGD on batches of 60 for 3,000 steps (the paper: "
        "50,000); each network at the best of the learning rates 0.1, 0.5 and 2 (the paper states none)"
    ),
    statistic=(
        "difference in test accuracy; and the steps without a norm over those with batch norm to the validation "
        "accuracy that the network without a norm ends with"
    ),
    rule="the 95 % interval of the difference lies above 0, that of the ratio above 2 (in direction: above 1)",
    cost=Cost(quick=2.0, full=30.0),
    parts=(
        Part("accuracy", statement="batch norm is more accurate", holds=Region(low=0.0), unit="points"),
        Part(
            "steps",
            statement="batch norm needs at most half the steps",
            holds=Region(low=2.0),
            direction=Region(low=1.0),
            unit="×",
        ),
    ),
    measure=measure,
    control=Control(
        statement=(
            f"a batch norm that is no norm, {POINTS_LOST:g} points worse and {TIMES_SLOWER:g} times as slow, is more "
            "accurate and faster"
        ),
        values=worse_than_none,
    ),
    figure=figure,
    experiment="claim_a1_ioffe_mnist",
)
