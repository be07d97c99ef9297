"""A19: dropout directly before batch norm, whose running variance is then that of other inputs than it meets."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting, Values
from bnbench.claims.trained import Floats, Trained, best_rate, rate_in_words, trained
from bnbench.datasets import DatasetConfig, Task, load
from bnbench.records import Record
from bnbench.seeding import generator, global_stream

NOWHERE, BEFORE_NORM, AT_END = PLACES = ("nowhere", "before_norm", "at_end")
DROPPED = 0.5
HIDDEN = (64, 64, 64)
# of the plain loop that the variances are taken from
BATCH_SIZE, LEARNING_RATE = 64, 0.1
# over which the norms collect their statistics once the weights rest
BATCHES = 200
# what dropout at the planted end costs more than before the norms
POINTS_LOST = 5.0


class Variances(NamedTuple):
    """A norm's, per unit (units,): in evaluation, what the formula makes of it for training, and what it remembers."""

    evaluated: Tensor
    expected: Tensor
    remembered: Tensor


def network(
    num_inputs: int,
    num_outputs: int,
    make_norm: Callable[[int], nn.Module],
    *,
    hidden: Sequence[int],
    dropout: float,
    place: str,
) -> nn.Module:
    """Return Linear, ReLU and norm per hidden width with dropout `nowhere`, directly `before_norm`, or `at_end`.

    At the end it stands once, behind the last norm.
    """
    layers: list[nn.Module] = []
    for before, width in zip((num_inputs, *hidden), hidden, strict=False):
        layers += [nn.Linear(before, width), nn.ReLU()]
        layers += [nn.Dropout(dropout)] if place == BEFORE_NORM else []
        layers.append(make_norm(width))
    layers += [nn.Dropout(dropout)] if place == AT_END else []
    return nn.Sequential(*layers, nn.Linear(hidden[-1], num_outputs))


def measure(setting: Setting) -> Measured:
    """Train with dropout in each place; and, in a plain loop, take the variances of what goes into the norms."""
    overrides = setting.choose(
        miniature=("dataset=digits", "budget.max_steps=400", "optimizer.lr=[0.1,0.3]"),
        quick=(),
        full=("budget.max_steps=10000", "budget.eval_every_steps=200"),
    )
    records = setting.train("claim_a19_dropout_bn", *overrides)
    runs = trained(records, name=place_of)
    best = {place: best_rate(runs, place) for place in PLACES}
    task = load(DatasetConfig(**{**records[0].config["dataset"], "targets": None}))
    steps = setting.choose(miniature=200, quick=500, full=2000)
    norms = [variances_of(trained_on(task, seed=seed, steps=steps), task.train_inputs[:]) for seed in setting.seeds]
    first = [of_seed[0] for of_seed in norms]
    return Measured(
        values={
            "ratio": pooled_ratios(first),
            "accuracy": 100 * (best[AT_END].score - best[BEFORE_NORM].score),
        },
        series={
            "without a shift": np.array([float(each.evaluated.sum() / each.remembered.sum()) for each in first]),
            "formula": ratios(first[0].evaluated, first[0].expected),
            "measured": ratios(first[0].evaluated, first[0].remembered),
        },
        remarks=(
            *(remark(place, run, rate=rate_in_words(run, runs)) for place, run in best.items()),
            last_norm(pooled_ratios([of_seed[-1] for of_seed in norms])),
        ),
    )


def remark(place: str, run: Trained, *, rate: str) -> str:
    """Return a sentence on what the networks with dropout in one place reached."""
    score = 100 * run.score.mean()
    return f"Dropout {place.replace('_', ' ')}: test accuracy {score:.3g} % at its best learning rate, {rate}."


def last_norm(found: Floats) -> str:
    """Return a sentence on the shift at the last norm."""
    return (
        f"At the last norm the measured ratio is {found.mean():.3g} times that of the formula, which knows nothing of "
        "the shifts of the norms below."
    )


def place_of(record: Record) -> str:
    """Return where dropout stands in the networks of a record."""
    return str(record.config["model"]["options"]["place"])


def trained_on(task: Task, *, seed: int, steps: int) -> nn.Sequential:
    """Return the network with dropout before its norms, torch's own, after some steps of plain gradient descent."""
    with global_stream(seed, "claim A19"):
        made = network(
            task.num_features, task.num_outputs, nn.BatchNorm1d, hidden=HIDDEN, dropout=DROPPED, place=BEFORE_NORM
        )
        inputs, rows = task.train_inputs[:], generator(seed, "claim A19", "rows")
        optimizer = torch.optim.SGD(made.parameters(), lr=LEARNING_RATE)
        for _ in range(steps):
            chosen = torch.randint(len(task.train_labels), (BATCH_SIZE,), generator=rows)
            loss = nn.functional.cross_entropy(made(inputs[chosen]), task.train_labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        collect_statistics(made, inputs, rows)
    assert isinstance(made, nn.Sequential)
    return made


@torch.no_grad()
def collect_statistics(made: nn.Module, inputs: Float[Tensor, "rows features"], rows: torch.Generator) -> None:
    """Have the norms forget what they remember of other weights and take plain averages over training batches."""
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm1d):
            norm.reset_running_stats()
            norm.momentum = None
    for _ in range(BATCHES):
        made(inputs[torch.randint(len(inputs), (BATCH_SIZE,), generator=rows)])


@torch.no_grad()
def variances_of(made: nn.Sequential, inputs: Float[Tensor, "rows features"]) -> list[Variances]:
    """Return the variances at every norm of a network with dropout directly before it, first layer first."""
    made.eval()
    found, hidden = [], inputs
    for layer in made:
        if isinstance(layer, nn.BatchNorm1d) and layer.running_var is not None:
            mean, variance = hidden.mean(0), hidden.var(0, correction=0)
            found.append(Variances(variance, variance_in_training(mean, variance, kept=1 - DROPPED), layer.running_var))
        hidden = layer(hidden)
    return found


def variance_in_training(mean: Tensor, variance: Tensor, *, kept: float) -> Tensor:
    """Return the variance of x·m/p, for x of this mean c and variance v and m = 1 with probability p: (c² + v)/p − c².

    Then v over it is the shift from training to evaluation. Source: Li et al. 2019 (arXiv:1801.05134).

    >>> variance_in_training(torch.tensor(0.0), torch.tensor(1.0), kept=0.5).item()
    2.0
    """
    return (mean.square() + variance) / kept - mean.square()


def pooled_ratios(norms: Sequence[Variances]) -> Floats:
    """Return of each seed the measured ratio of variances over that of the formula, the units' variances summed."""
    return np.array([float(each.expected.sum() / each.remembered.sum()) for each in norms])


def ratios(evaluated: Tensor, training: Tensor) -> Floats:
    """Return the ratio of variances of every unit but those hardly ever active, whose ratio is of a few rows."""
    alive = evaluated > 0.01 * evaluated.median()
    return (evaluated[alive] / training[alive]).double().numpy()


def no_shift_and_worse_at_end(measured: Measured) -> dict[str, Values]:
    """Return the ratio if dropout did not shift variances, and the accuracy of an end that costs more than before."""
    no_shift = np.asarray(measured.series["without a shift"])
    return {"ratio": no_shift, "accuracy": np.full(len(no_shift), -POINTS_LOST)}


def figure(measured: Measured) -> Figure:
    """Return how near every unit's ratio of variances at the first norm comes to the formula, of one seed."""
    formula, found = (np.asarray(measured.series[name]) for name in ("formula", "measured"))
    return Figure(
        title="Variance in evaluation over variance in training, of the units of the first norm, seed 0",
        x="ratio by the formula",
        y="measured ratio over that of the formula",
        curves=(Curve("a unit", formula.tolist(), (found / formula).tolist()),),
        points=True,
    )


CLAIM = Claim(
    claim_id="A19_dropout_bn",
    statement=(
        "Dropout directly before batch norm shifts the variance of its inputs between training and evaluation by "
        "v / ((c² + v)/p − c²), and costs accuracy that dropout behind the last norm does not"
    ),
    paper=Paper(
        authors="Li, Chen, Hu and Yang",
        year=2019,
        title="Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift",
        section="3 and 4",
        where="arXiv:1801.05134",
    ),
    scope="transfer",
    published="the paper has numbers for convolutional networks; they were not seen here",
    protocol=(
        "5,000 images of MNIST, three layers of 64 units, Linear → ReLU → dropout of a half → batch norm, or dropout "
        "once behind the last norm; SGD on batches of 64 for 1,000 steps at the best of four learning rates for each "
        "place. The variances are those of the first norm after 500 steps of a plain loop at a rate of 0.1: that in "
        f"evaluation over all training rows, that in training as the norm collects it over {BATCHES} batches more. "
        "A rate was added for both places after a first look, since the best was the last one tried"
    ),
    statistic=(
        "measured ratio of the two variances over that of the formula, summed over units, c and v being mean and "
        "variance of the units in evaluation; and the test accuracy with dropout at the end less that with dropout "
        "before every norm"
    ),
    rule="the 95 % interval of the first lies within 5 % of 1, that of the second above 0",
    cost=Cost(quick=1.1, full=20.0),
    parts=(
        Part("ratio", statement="the shift is that of the formula", holds=Region(0.95, 1.05), unit="×"),
        Part(
            "accuracy",
            statement="dropout at the end leaves more accuracy than before the norms",
            holds=Region(low=0.0),
            unit="points",
        ),
    ),
    measure=measure,
    control=Control(
        statement=(
            f"dropout shifts no variance, and at the end it costs {POINTS_LOST:g} points more than before the norms"
        ),
        values=no_shift_and_worse_at_end,
    ),
    figure=figure,
    experiment="claim_a19_dropout_bn",
)
