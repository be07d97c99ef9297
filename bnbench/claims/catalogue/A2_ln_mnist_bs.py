"""A2: layer norm beside batch norm where batches are small."""

import numpy as np

from bnbench.claims.claim import Claim, Control, Cost, Figure, Measured, Paper, Part, Region, Setting, Values
from bnbench.claims.trained import (
    Floats,
    Trained,
    best_rate,
    curve,
    rate_in_words,
    ratio_of_steps,
    ratio_to_slower,
    steps_to,
    trained,
)
from bnbench.scoring.times import Times

LARGE, SMALL = 128, 4
EVALUATIONS = 20
# what the planted layer norm is worse by
POINTS_LOST = 5.0
TIMES_SLOWER = 2.0


def measure(setting: Setting) -> Measured:
    """Train both norms at both batch sizes, on as many samples, at the same learning rates."""
    samples = setting.choose(miniature=5_120, quick=30_720, full=102_400)
    overrides = setting.choose(
        miniature=("dataset=digits", "model.hidden=[32,32]"),
        quick=(),
        full=("model.hidden=[256,256]",),
    )
    large, small = (
        trained(setting.train("claim_a2_ln_mnist_bs", *recipe(samples, size), *overrides)) for size in (LARGE, SMALL)
    )
    batch, layer = best_rate(small, "batch"), best_rate(small, "layer")
    lost_by_batch = 100 * (best_rate(large, "batch").score - batch.score)
    lost_by_layer = 100 * (best_rate(large, "layer").score - layer.score)
    of_batch, of_layer = steps_to_same_loss(batch, layer)
    return Measured(
        values={"batch_size": lost_by_batch - lost_by_layer, "steps": ratio_of_steps(of_batch, of_layer)},
        series={
            "lost by batch norm": lost_by_batch,
            "steps of batch norm": of_batch.steps,
            "step": batch.steps,
            "batch norm, batch of 4": batch.train_loss,
            "layer norm, batch of 4": layer.train_loss,
        },
        remarks=(
            remark("Batch", batch, lost_by_batch, rate=rate_in_words(batch, small)),
            remark("Layer", layer, lost_by_layer, rate=rate_in_words(layer, small)),
        ),
    )


def remark(name: str, small: Trained, lost: Floats, *, rate: str) -> str:
    """Return a sentence on one norm."""
    return (
        f"{name} norm at batch size {SMALL}: test accuracy {100 * small.score.mean():.3g} % at its best learning rate, "
        f"{rate}; {lost.mean():.2g} points lost from batch size {LARGE} on."
    )


def recipe(samples: int, batch_size: int) -> tuple[str, ...]:
    """Return the overrides that train on as many samples in batches of this size.

    >>> recipe(1280, 4)
    ('budget.batch_size=4', 'budget.max_steps=320', 'budget.eval_every_steps=16')
    """
    steps = samples // batch_size
    return (
        f"budget.batch_size={batch_size}",
        f"budget.max_steps={steps}",
        f"budget.eval_every_steps={max(1, steps // EVALUATIONS)}",
    )


def steps_to_same_loss(one: Trained, other: Trained) -> tuple[Times, Times]:
    """Return the steps of both to the training loss that both reach: per seed the larger of their last ones."""
    level = np.fmax(one.train_loss[:, -1], other.train_loss[:, -1])
    return steps_to(one, -level, values=-one.train_loss), steps_to(other, -level, values=-other.train_loss)


def worse_than_batch(measured: Measured) -> dict[str, Values]:
    """Return what the parts would be of a layer norm that is batch norm, less accurate and slower."""
    lost = np.asarray(measured.series["lost by batch norm"])
    slower = ratio_to_slower(np.asarray(measured.series["steps of batch norm"]), times_slower=TIMES_SLOWER)
    return {"batch_size": lost - (lost + POINTS_LOST), "steps": slower}


def figure(measured: Measured) -> Figure:
    """Return the training loss of both norms at the small batch size."""
    step = np.asarray(measured.series["step"])[1:]
    names = ("batch norm, batch of 4", "layer norm, batch of 4")
    return Figure(
        title="Training loss at batch size 4",
        x="step",
        y="training loss",
        curves=tuple(curve(name, step, np.asarray(measured.series[name])[:, 1:]) for name in names),
        log_y=True,
    )


CLAIM = Claim(
    claim_id="A2_ln_mnist_bs",
    statement="Layer norm is robust to the batch size where batch norm is not, and trains faster at small batches",
    paper=Paper(
        authors="Ba, Kiros and Hinton",
        year=2016,
        title="Layer Normalization",
        section="6.6, figure 6",
        where="arXiv:1607.06450",
    ),
    scope="exact",
    protocol=(
        f"5,000 images of MNIST (all of it is in no installable package), two hidden layers of 128 ReLU units (the "
        f"paper: 1,000), Adam at the best of four learning rates for each norm and batch size (the paper states "
        f"none), batches of {LARGE} and of {SMALL}, 30,720 samples each; both norms on the hidden layers only, which "
        "is kinder to batch norm than the paper's, on all layers. A rate was added for both norms after a first look, "
        "since the best was the last one tried"
    ),
    statistic=(
        f"test accuracy lost from batch size {LARGE} to {SMALL} by batch norm, less that lost by layer norm; and, at "
        f"batch size {SMALL}, steps of batch norm over steps of layer norm to the training loss that both reach: that "
        "of the minibatches since the evaluation before, with batch norm by their own statistics"
    ),
    rule="the 95 % interval of the difference lies above 0, and that of the ratio above 1",
    cost=Cost(quick=3.2, full=50.0),
    parts=(
        Part(
            "batch_size",
            statement=f"batch norm loses more than layer norm by going from batches of {LARGE} to {SMALL}",
            holds=Region(low=0.0),
            unit="points",
        ),
        Part(
            "steps",
            statement=f"layer norm needs fewer steps at batch size {SMALL}",
            holds=Region(low=1.0),
            unit="×",
        ),
    ),
    measure=measure,
    control=Control(
        statement=(
            f"a layer norm that is batch norm, {POINTS_LOST:g} points worse at batch size {SMALL} and "
            f"{TIMES_SLOWER:g} times as slow, is more robust and faster"
        ),
        values=worse_than_batch,
    ),
    figure=figure,
    experiment="claim_a2_ln_mnist_bs",
)
