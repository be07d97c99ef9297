"""Weight decay on scale-invariant weights is an exponentially growing learning rate in disguise."""

from math import sqrt
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting
from bnbench.claims.scale_invariant import digits, rows_of, scale_invariant_networks, train
from bnbench.datasets import Task
from bnbench.training.optimizers import StackedOptimizer
from bnbench.training.schedules import schedule_factor

RATE, DECAY, MOMENTUM = 0.1, 0.01, 0.9
HIDDEN, BATCH_SIZE, EVERY = (32, 32), 60, 10
EQUAL = 1e-6
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"name": "sgd"},
    "momentum": {"name": "momentum", "momentum": MOMENTUM, "nesterov": False},
}


def shrinkage(rate: float, decay: float, momentum: float) -> float:
    """Return a, by which weight decay shortens the weights per step beside what the gradient does.

    With w_t = aᵗ u_t the steps of w with decay, w_{t+1} = w_t − η(∇ + λ w_t) + g(w_t − w_{t−1}), are those of u without
    it at the learning rate η a^(−2t−1), if a² − (1 + g − ηλ) a + g = 0: the larger root, 1 − ηλ where g = 0. For the
    gradient of a scale-invariant loss at w_t is a⁻ᵗ times that at u_t. The momentum of u is g/a² where it multiplies
    the last step; here, as in torch, it multiplies a sum of gradients, which the learning rate multiplies afterwards,
    and stays g: the learning rate grows by a⁻² a step. Raises ValueError for ηλ above (1 − √g)², where a is complex.

    >>> shrinkage(0.1, 0.01, 0.0)
    0.999
    """
    most = (1 - sqrt(momentum)) ** 2
    if rate * decay > most:
        raise ValueError(f"rate · decay = {rate * decay:.3g} at momentum {momentum}: expected at most {most:.3g}")
    middle = 1 + momentum - rate * decay
    return (middle + sqrt(middle * middle - 4 * momentum)) / 2


def logits(
    setting: Setting, *, task: Task, optimizer: str, way: str, max_steps: int
) -> Float[Tensor, "seeds evaluations rows outputs"]:
    """Return the outputs on the validation rows every few steps: with the "decay", the "schedule", or "neither"."""
    replicas = scale_invariant_networks(setting.seeds, task=task, hidden=HIDDEN, dtype=torch.float64)
    options = {**OPTIMIZERS[optimizer], "weight_decay": DECAY if way == "decay" else 0.0}
    shrinks = shrinkage(RATE, DECAY, options.get("momentum", 0.0))
    growing = way == "schedule"
    # factor at the end: η a^(−2t−1) as a start of η/a and a factor a^(−2t)
    schedule = schedule_factor(
        {"name": "exponential", "gamma": shrinks ** (-2 * max_steps) if growing else 1.0}, max_steps=max_steps
    )
    inputs = rows_of(task.validation_inputs).double()
    seen: list[Tensor] = []

    def look(step: int) -> None:
        if step % EVERY == 0:
            with torch.no_grad():
                seen.append(replicas.eval()(inputs))
            replicas.train()

    def start_momentum(stepper: StackedOptimizer) -> None:
        """Begin as if u had moved before: w_{−1} = w_0 is u_{−1} = a w_0, a step of (1 − a) w_0 at η a."""
        if growing and optimizer == "momentum":
            for group in stepper.torch.param_groups:
                for weights in group["params"]:
                    buffer = -(1 - shrinks) / (RATE * shrinks) * weights.detach()
                    stepper.torch.state[weights]["momentum_buffer"] = buffer

    look(0)
    train(
        replicas,
        task=task,
        seeds=setting.seeds,
        optimizer=options,
        learning_rates=[RATE / shrinks if growing else RATE] * len(setting.seeds),
        schedule=schedule,
        batch_size=BATCH_SIZE,
        max_steps=max_steps,
        before=start_momentum,
        after_step=look,
    )
    setting.say(f"{optimizer}, {way}: {max_steps} steps of {len(setting.seeds)} replicas")
    return torch.stack(seen, dim=1)


def largest_difference(one: Float[Tensor, "seeds ..."], other: Float[Tensor, "seeds ..."]) -> NDArray[np.float64]:
    """Return the largest difference over the largest value of `one`, of each seed: (seeds,).

    >>> largest_difference(torch.tensor([[2.0, -4.0]]), torch.tensor([[2.0, -3.0]])).tolist()
    [0.25]
    """
    found: NDArray[np.float64] = ((one - other).flatten(1).abs().amax(1) / one.flatten(1).abs().amax(1)).numpy()
    return found


def measure(setting: Setting) -> Measured:
    """Return how far the outputs of the two runs ever are from each other, with momentum and without."""
    task = digits()
    max_steps = setting.choose(miniature=50, quick=200, full=500)
    values: dict[str, NDArray[np.float64]] = {}
    series: dict[str, NDArray[np.float64]] = {}
    for optimizer in OPTIMIZERS:
        found = {
            way: logits(setting, task=task, optimizer=optimizer, way=way, max_steps=max_steps)
            for way in ("decay", "schedule", "neither")
        }
        for way, outputs in found.items():
            if way == "decay":
                continue
            pairs = zip(found["decay"].unbind(1), outputs.unbind(1), strict=True)
            apart = [largest_difference(*pair) for pair in pairs]
            series[f"{optimizer}/{way}"] = np.max(apart, axis=1)
            by_seed = np.max(apart, axis=0)
            if way == "schedule":
                values[optimizer] = by_seed
            else:
                series[f"{optimizer}/neither by seed"] = by_seed
        started, ended = found["decay"][:, 0], found["decay"][:, -1]
        values[f"{optimizer}_trains"] = largest_difference(started, ended)
    return Measured(values, {**series, "steps": np.arange(0, max_steps + 1, EVERY)})


def decay_dropped(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """Return how far a run without weight decay is at the learning rate of the run with it."""
    return {optimizer: np.asarray(measured.series[f"{optimizer}/neither by seed"]) for optimizer in OPTIMIZERS}


def figure(measured: Measured) -> Figure:
    """Return the difference of the outputs against steps, for the two runs and where decay is only dropped."""
    names = {"sgd": "", "momentum": ", momentum"}
    ways = {"schedule": "growing rate", "neither": "dropped"}
    # without the start, where they are equal: a logarithmic axis has no place for it
    steps = np.asarray(measured.series["steps"])[1:].tolist()
    curves = [
        Curve(
            said + name,
            steps,
            np.asarray(measured.series[f"{optimizer}/{way}"])[1:].tolist(),
            dashed=way == "neither",
        )
        for way, said in ways.items()
        for optimizer, name in names.items()
    ]
    return Figure(
        title="How far the outputs are from those of training with weight decay",
        x="steps",
        y="largest difference / largest output",
        curves=tuple(curves),
        log_y=True,
    )


_SAME = Region(0.0, EQUAL)

CLAIM = Claim(
    claim_id="A15_exp_lr_equivalence",
    statement=(
        "On scale-invariant weights, training with weight decay at a constant learning rate is the same as training "
        "without weight decay at a learning rate that grows exponentially, with momentum and without"
    ),
    paper=Paper(
        authors="Li and Arora",
        year=2020,
        title="An Exponential Learning Rate Schedule for Deep Learning",
        section="the equivalence theorems; the factor a with momentum is derived again here",
        where="arXiv:1910.07454",
    ),
    scope="exact",
    protocol=(
        f"handwritten digits; 64-32-32-10 with batch norm without γ and β and ε → 0, ReLU, a fixed output layer; "
        f"minibatches of {BATCH_SIZE}, learning rate {RATE}, decay {DECAY}, momentum 0 and {MOMENTUM}, 200 steps (500 "
        "in full) in float64; the same start and the same order of samples in every run. It needs ηλ ≤ (1 − √momentum)²"
    ),
    statistic=(
        "largest difference of any output on the validation rows between the two runs, over the largest output, at "
        f"step 0 and every {EVERY} steps"
    ),
    rule=(
        f"at most {EQUAL:g} for every seed; and that of the run from its own start at least 0.1: the networks did learn"
    ),
    cost=Cost(quick=0.1, full=0.4),
    parts=(
        Part("sgd", statement="no momentum: the same outputs", holds=_SAME, judged="every"),
        Part("momentum", statement=f"momentum {MOMENTUM}: the same outputs", holds=_SAME, judged="every"),
        Part("sgd_trains", statement="no momentum: the outputs move", holds=Region(low=0.1), judged="every"),
        Part("momentum_trains", statement="momentum: the outputs move", holds=Region(low=0.1), judged="every"),
    ),
    measure=measure,
    control=Control(
        statement="weight decay does nothing to scale-invariant weights: dropped, the run stays the same",
        values=decay_dropped,
        parts=(
            Part("sgd", statement="no momentum, decay dropped: the same outputs", holds=_SAME, judged="every"),
            Part("momentum", statement="momentum, decay dropped: the same outputs", holds=_SAME, judged="every"),
        ),
    ),
    figure=figure,
    seeds={"miniature": 3, "quick": 16, "full": 32},
)
