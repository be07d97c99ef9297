"""Weight decay on scale-invariant weights sets how far they turn per step, and through it their length."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting
from bnbench.claims.scale_invariant import digits, rows_of, scale_invariant_networks, train
from bnbench.training.optimizers import StackedOptimizer
from bnbench.training.replicas import Replicas

RATES = (0.1, 0.2, 0.4)
DECAYS = (0.01, 0.02, 0.04)
# neighbours differ in the rate, by which the optimizer tells its groups apart
CELLS = tuple((rate, decay) for decay in DECAYS for rate in RATES)
# pairs (rate, decay) of one product, along which nothing but the length of the weights should differ
SAME_PRODUCT = tuple(zip(RATES, reversed(DECAYS), strict=True))
HIDDEN, BATCH_SIZE = (32, 32), 60
# What the weights are multiplied with at the start, which the networks do not see: from He's length the decay would
# first have to shrink them for thousands of steps.
START = 0.25

Floats = NDArray[np.float64]


class Turning:
    """Lengths of the weights of every layer, and the squares of the angles they turn by per step."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        self._directions = self._look()[1]
        self.lengths: list[Tensor] = []
        self.squared_angles: list[Tensor] = []

    def after_step(self) -> None:
        """Note lengths and angles, (layers, replicas) each, after a step."""
        lengths, directions = self._look()
        pairs = zip(directions, self._directions, strict=True)
        self.lengths.append(lengths)
        self.squared_angles.append(torch.stack([angle(*pair).square() for pair in pairs]))
        self._directions = directions

    def _look(self) -> tuple[Tensor, list[Tensor]]:
        flat = [weights.detach().flatten(1).double() for weights in self._replicas.trained]
        lengths = torch.stack([weights.norm(dim=1) for weights in flat])
        return lengths, [weights / length.unsqueeze(1) for weights, length in zip(flat, lengths, strict=True)]


def angle(one: Float[Tensor, "replicas entries"], other: Float[Tensor, "replicas entries"]) -> Tensor:
    """Return the angle between unit vectors in radians, exact for small ones: 2 asin(‖difference‖/2), (replicas,).

    >>> angle(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])) / torch.pi
    tensor([0.5000])
    """
    return 2 * ((one - other).norm(dim=1) / 2).clamp(max=1).asin()


def measure(setting: Setting) -> Measured:
    """Return the slope of the weights' length, the angles per step and the accuracies at equilibrium."""
    max_steps = setting.choose(miniature=900, quick=3000, full=8000)
    turning, accuracy = _train(setting, max_steps=max_steps)
    settled = slice(2 * max_steps // 3, None)
    # (steps, layers, cells, seeds), then without the steps
    log_length, squared_angle = (
        torch.stack(found[settled]).unflatten(2, (len(CELLS), -1))
        for found in (turning.lengths, turning.squared_angles)
    )
    by_cell = log_length.log().mean((0, 1)).numpy()
    lengths = dict(zip(CELLS, by_cell, strict=True))
    expected = torch.tensor([2 * rate * decay for rate, decay in CELLS], dtype=torch.float64).view(1, -1, 1)
    ratios = (squared_angle.mean(0) / expected).sqrt().flatten(0, 1).numpy()  # (layers × cells, seeds)
    accuracies = dict(zip(CELLS, accuracy.numpy(), strict=True))
    values = {
        "slope": slope(lengths, CELLS),
        "slope_at_one_product": slope(lengths, SAME_PRODUCT),
        "smallest_angle": ratios.min(0),
        "largest_angle": ratios.max(0),
        "accuracy": accuracies[SAME_PRODUCT[0]] - accuracies[SAME_PRODUCT[-1]],
    }
    return Measured(values, {"lengths": np.exp(by_cell.mean(1))})


def _train(setting: Setting, *, max_steps: int) -> tuple[Turning, Float[Tensor, "cells seeds"]]:
    """Return how the weights of all cells turned, one stack of them, and the accuracy on the validation part."""
    task = digits()
    seeds = [seed for _ in CELLS for seed in setting.seeds]
    replicas = scale_invariant_networks(seeds, task=task, hidden=HIDDEN, dtype=torch.float32)
    with torch.no_grad():
        for weights in replicas.trained:
            weights.mul_(START)
    turning = Turning(replicas)

    def set_decays(stepper: StackedOptimizer) -> None:
        for group, (_, decay) in zip(stepper.torch.param_groups, CELLS, strict=True):
            group["weight_decay"] = decay

    def after_step(step: int) -> None:
        turning.after_step()
        if step % (max_steps // 3) == 0:
            setting.say(f"{step} of {max_steps} steps of {len(seeds)} replicas")

    train(
        replicas,
        task=task,
        seeds=seeds,
        # as a number above 0: the weights of every cell are in the group that decays
        optimizer={"name": "sgd", "weight_decay": DECAYS[0]},
        learning_rates=[rate for rate, _ in CELLS for _ in setting.seeds],
        schedule=lambda step: 1.0,
        batch_size=BATCH_SIZE,
        max_steps=max_steps,
        before=set_decays,
        after_step=after_step,
    )
    with torch.no_grad():
        outputs = replicas.eval()(rows_of(task.validation_inputs))
    right = (outputs.argmax(2) == task.validation_labels).double().mean(1)
    return turning, right.unflatten(0, (len(CELLS), -1))


def slope(lengths: dict[tuple[float, float], Floats], cells: Sequence[tuple[float, float]]) -> Floats:
    """Return the slope of log length against log(rate/decay) over cells, of each seed, by least squares: (seeds,).

    >>> slope({(1.0, 1.0): np.array([0.0]), (4.0, 1.0): np.array([2 * np.log(4.0)])}, [(1.0, 1.0), (4.0, 1.0)])
    array([2.])
    """
    ratios = [np.log(rate / decay) for rate, decay in cells]
    found: Floats = np.polyfit(ratios, np.stack([lengths[cell] for cell in cells]), 1)[0]
    return found


def wrong_constants(measured: Measured) -> dict[str, Floats]:
    """Return the slope of the squared length, and the angles over √(ηλ)."""
    return {
        "slope": 2 * np.asarray(measured.values["slope"]),
        "slope_at_one_product": 2 * np.asarray(measured.values["slope_at_one_product"]),
        "smallest_angle": sqrt(2) * np.asarray(measured.values["smallest_angle"]),
        "largest_angle": sqrt(2) * np.asarray(measured.values["largest_angle"]),
    }


def _ratio(cell: tuple[float, float]) -> float:
    rate, decay = cell
    return rate / decay


def figure(measured: Measured) -> Figure:
    """Return the length at equilibrium against rate over decay, with the power that theory gives."""
    lengths = dict(zip(CELLS, np.asarray(measured.series["lengths"]).tolist(), strict=True))
    # how long the gradients are depends on the angle per step, and so on the product: each has a line of its own
    products = sorted({round(rate * decay, 12) for rate, decay in CELLS})
    curves = []
    for product in products:
        cells = sorted((cell for cell in CELLS if round(cell[0] * cell[1], 12) == product), key=_ratio)
        curves.append(Curve(f"ηλ = {product:g}", [_ratio(cell) for cell in cells], [lengths[cell] for cell in cells]))
    first, *_, last = sorted(SAME_PRODUCT, key=_ratio)
    middle = lengths[SAME_PRODUCT[len(SAME_PRODUCT) // 2]]
    spread = (_ratio(last) / _ratio(first)) ** (0.25 / 2)
    ends = [_ratio(first), _ratio(last)]
    curves.append(Curve("slope 1/4", ends, [middle / spread, middle * spread], dashed=True))
    return Figure(
        title="Length of scale-invariant weights at equilibrium",
        x="learning rate / weight decay",
        y="‖w‖, geometric mean of layers and seeds",
        curves=tuple(curves),
        log_x=True,
        log_y=True,
    )


_ANGLE = Region(0.8, 1.25)
_ANGLES = {
    "smallest_angle": "the smallest angle per step of any layer, rate and decay, over √(2ηλ)",
    "largest_angle": "the largest angle per step of any layer, rate and decay, over √(2ηλ)",
}
_SLOPES = {
    "slope": ("slope of log ‖w‖ against log(η/λ), all rates and decays", Region(0.22, 0.28)),
    "slope_at_one_product": ("the same at one product ηλ", Region(0.24, 0.26)),
}

CLAIM = Claim(
    claim_id="A16_angular_equilibrium",
    statement=(
        "Weight decay does not regularise scale-invariant weights: it brings them to an equilibrium in which they turn "
        "by √(2ηλ) per step and have a length of (η/λ)^(1/4), times what the gradients say"
    ),
    paper=Paper(
        authors="van Laarhoven",
        year=2017,
        title="L2 Regularization versus Batch and Weight Normalization",
        section="effective learning rate; the angle √(2ηλ) is derived again here",
        where="arXiv:1706.05350",
    ),
    scope="exact",
    protocol=(
        f"handwritten digits; 64-32-32-10 with batch norm without γ and β and ε → 0, ReLU, a fixed output layer; plain "
        f"SGD in minibatches of {BATCH_SIZE}, learning rates {', '.join(map(str, RATES))} times weight decays "
        f"{', '.join(map(str, DECAYS))}, 3000 steps (8000 in full), of which the last third is measured"
    ),
    statistic=(
        "slope of the mean log length of a layer's weights against log(η/λ), by least squares over the grid, and over "
        "the pairs of one product ηλ; root mean square of the angle per step over √(2ηλ), of each layer, rate and "
        "decay; difference of the validation accuracies at the ends of one product"
    ),
    rule=(
        "95 % intervals: the slope lies in [0.22, 0.28] over the grid and in [0.24, 0.26] at one product, the smallest "
        "and the largest angle in [0.8, 1.25], the difference of the accuracies within 0.01"
    ),
    cost=Cost(quick=0.3, full=1.5),
    parts=(
        *(
            Part(name, statement=said, holds=region, direction=Region(low=0.05))
            for name, (said, region) in _SLOPES.items()
        ),
        *(Part(name, statement=said, holds=_ANGLE, unit="×") for name, said in _ANGLES.items()),
        Part(
            "accuracy",
            statement="at one product ηλ the accuracy is the same, whatever the weight decay",
            holds=Region(-0.01, 0.01),
        ),
    ),
    measure=measure,
    control=Control(
        statement="it is the squared length that goes as (η/λ)^(1/4), and the angle per step is √(ηλ)",
        values=wrong_constants,
        parts=(
            *(Part(name, statement=f"{said}: ‖w‖²", holds=region) for name, (said, region) in _SLOPES.items()),
            *(
                Part(name, statement=said.replace("√(2ηλ)", "√(ηλ)"), holds=_ANGLE, unit="×")
                for name, said in _ANGLES.items()
            ),
        ),
    ),
    figure=figure,
    seeds={"miniature": 3, "quick": 8, "full": 16},
)
