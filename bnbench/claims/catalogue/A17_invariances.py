"""What a normalized layer does not notice: rescaled weights, shifted data and the like, exactly."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting
from bnbench.claims.random_networks import gaussian_inputs
from bnbench.norms import ChosenNorm, choose_norm
from bnbench.training.replicas import Replicas

ROWS, INPUTS, FEATURES = 16, 20, 24
FACTOR = 3.0
TINY_EPS = 1e-30

Values = NDArray[np.float64]
Weights = Float[Tensor, "seeds features inputs"]
Inputs = Float[Tensor, "seeds rows inputs"]


class Change(NamedTuple):
    """A change of the weights and the inputs of a layer, in words and done."""

    statement: str
    apply: Callable[[Weights, Inputs], tuple[Weights, Inputs]]


def _spread(count: int) -> Tensor:
    return torch.linspace(0.5, 2.0, count, dtype=torch.float64)


CHANGES: Mapping[str, Change] = {
    "weights_rescaled": Change("all weights times a positive number", lambda w, x: (FACTOR * w, x)),
    "rows_rescaled": Change(
        "every row of the weights times a positive number of its own",
        lambda w, x: (w * _spread(w.shape[1]).unsqueeze(1), x),
    ),
    "weights_recentred": Change(
        "one vector added to every row of the weights", lambda w, x: (w + _spread(w.shape[2]) / w.shape[2], x)
    ),
    "data_rescaled": Change("all inputs times a positive number", lambda w, x: (w, FACTOR * x)),
    "data_recentred": Change("one vector added to every sample", lambda w, x: (w, x + _spread(x.shape[2]))),
    "samples_rescaled": Change(
        "every sample times a positive number of its own", lambda w, x: (w, x * _spread(x.shape[1]).unsqueeze(1))
    ),
}

_OF_BATCH = ("weights_rescaled", "rows_rescaled", "data_rescaled", "data_recentred")
_OF_ROW = ("weights_rescaled", "data_rescaled", "samples_rescaled")
_OF_CENTRED_ROW = (*_OF_ROW, "weights_recentred")
# What each norm does not notice, from its formula. Batch renorm is batch norm while it warms up; the noise of noisy
# batch norm is drawn again as it was; mean-only batch norm behind weight norm centres the data and does not scale it.
UNNOTICED: Mapping[str, Sequence[str]] = {
    "none": (),
    "affine": (),
    "dynamic_tanh": (),
    "batch": _OF_BATCH,
    "batch_renorm": _OF_BATCH,
    "ghost_batch": _OF_BATCH,
    "l1_batch": _OF_BATCH,
    "noisy_batch": _OF_BATCH,
    "iterative": ("weights_rescaled", "data_rescaled", "data_recentred"),
    "layer": _OF_CENTRED_ROW,
    "group": _OF_CENTRED_ROW,
    "instance": _OF_CENTRED_ROW,
    "rms": _OF_ROW,
    "scale": _OF_ROW,
    "switchable": ("weights_rescaled", "data_rescaled"),
    "weight": ("weights_rescaled", "rows_rescaled"),
    "weight_standardized": ("weights_rescaled", "rows_rescaled"),
    "weight_mean_only_batch": ("weights_rescaled", "rows_rescaled", "data_recentred"),
    "spectral": ("weights_rescaled",),
}
LEFT_OUT = {
    "filter_response": "on one value per filter it is little more than the sign of x: it neither notices a positive "
    "factor by more than its learned ε, nor is exactly blind to it"
}
# a relative change: what is equal differs by rounding in float64, what is not by far more
EQUAL, NOTICED = 1e-9, 1e-3
GRADIENTS = {
    "gradient_orthogonal": "the gradient is orthogonal to the weights (cosine)",
    "gradient_rescaled": f"at {FACTOR:g} times the weights the gradient is {FACTOR:g} times smaller",
}


def outputs_of(norm: ChosenNorm, weights: Weights, inputs: Inputs, *, start: Weights) -> tuple[Tensor, Tensor]:
    """Return a fresh layer's outputs (seeds, rows, features) and the leaf of the weights they depend on.

    A weight norm starts at `start`, as in place of a Linear, and is given the weights then: its length stays.
    """
    if norm.norm.kind == "activation":
        leaf = weights.clone().requires_grad_()
        return _replicas([norm.maker(0)(FEATURES) for _ in weights])(inputs @ leaf.mT), leaf
    replicas = _replicas([norm.replace(_linear(matrix), seed=0, name="layer") for matrix in start])
    (held,) = (stack for stack in replicas.parameters_stacked if stack.dim() == 3)
    held.data = weights.clone()
    return replicas(inputs), held


def _replicas(layers: list[nn.Module]) -> Replicas:
    return Replicas(layers, seeds=range(len(layers))).double()


def _linear(matrix: Float[Tensor, "features inputs"]) -> nn.Linear:
    linear = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False, dtype=matrix.dtype)
    linear.weight = nn.Parameter(matrix.clone())
    return linear


def relative_change(before: Float[Tensor, "seeds ..."], after: Float[Tensor, "seeds ..."]) -> Values:
    """Return the largest difference over the largest value, of each seed: (seeds,).

    >>> relative_change(torch.tensor([[4.0, 1.0]]), torch.tensor([[4.0, 3.0]]))
    array([0.5], dtype=float32)
    """
    difference = (after - before).flatten(1).abs().amax(1)
    found: Values = (difference / before.flatten(1).abs().amax(1)).detach().numpy()
    return found


def changes_of(name: str, *, seeds: Sequence[int]) -> dict[str, Values]:
    """Return by how much the outputs of a norm differ after each change, and how far the gradients are from theirs."""
    config: dict[str, Any] = {"name": name}
    if "eps" in choose_norm(config).options:
        config["eps"] = TINY_EPS
    norm = choose_norm(config)
    start = gaussian_inputs(seeds, rows=FEATURES, width=INPUTS, name="weights") / INPUTS**0.5
    inputs = gaussian_inputs(seeds, rows=ROWS, width=INPUTS) + 0.5
    before, weights = outputs_of(norm, start, inputs, start=start)
    found = {}
    for change, (_, apply) in CHANGES.items():
        changed = apply(start, inputs)
        found[change] = relative_change(before, outputs_of(norm, *changed, start=start)[0])
    gradient = _gradient(before, weights, seeds)
    rescaled = _gradient(*outputs_of(norm, FACTOR * start, inputs, start=start), seeds)
    found["gradient_orthogonal"] = _cosine(weights.detach(), gradient)
    found["gradient_rescaled"] = relative_change(gradient, FACTOR * rescaled)
    return found


def _gradient(outputs: Tensor, weights: Tensor, seeds: Sequence[int]) -> Tensor:
    towards = gaussian_inputs(seeds, rows=ROWS, width=FEATURES, name="gradient of the outputs")
    # it grows with the outputs: a loss that does not may be orthogonal to any weights, by chance
    loss = (towards * outputs.tanh()).sum() + outputs.cosh().log().sum()
    return torch.autograd.grad(loss, weights)[0]


def _cosine(one: Tensor, other: Tensor) -> Values:
    found: Values = torch.cosine_similarity(one.flatten(1), other.flatten(1), dim=1).abs().numpy()
    return found


def measure(setting: Setting) -> Measured:
    """Return of every identity the largest change among the norms it is said of, and the smallest among the others."""
    found = {norm: changes_of(norm, seeds=setting.seeds) for norm in UNNOTICED}
    setting.say(f"{len(found)} norms, {len(CHANGES)} changes, {len(setting.seeds)} seeds")
    values: dict[str, Values] = {}
    for change in (*CHANGES, *GRADIENTS):
        kept, broken = _norms(change)
        values[change] = np.max([found[norm][change] for norm in kept], axis=0)
        values[f"{change}_noticed"] = np.min([found[norm][change] for norm in broken], axis=0)
    return Measured(values, {f"{norm}/{change}": seen for norm in found for change, seen in found[norm].items()})


def _norms(change: str) -> tuple[list[str], list[str]]:
    """Return the norms an identity is said of, and the others; the gradients' follows from rescaled weights."""
    identity = "weights_rescaled" if change in GRADIENTS else change
    kept = [norm for norm, unnoticed in UNNOTICED.items() if identity in unnoticed]
    return kept, [norm for norm in UNNOTICED if norm not in kept]


def norms_swapped(measured: Measured) -> dict[str, Values]:
    """Return what batch norm makes of the changes that layer norm does not notice, and the reverse."""
    swaps = {
        "rows_rescaled": "layer",
        "data_recentred": "layer",
        "weights_recentred": "batch",
        "samples_rescaled": "batch",
        "gradient_orthogonal": "none",
        "gradient_rescaled": "none",
    }
    return {change: np.asarray(measured.series[f"{norm}/{change}"]) for change, norm in swaps.items()}


def figure(measured: Measured) -> Figure:
    """Return the largest change over seeds, a mark for all norms of one kind; where nothing changes, 1e-17."""
    changes = [*CHANGES, *GRADIENTS]
    kinds: dict[tuple[str, ...], list[str]] = {}
    for norm, unnoticed in UNNOTICED.items():
        kinds.setdefault(tuple(sorted(unnoticed)), []).append(norm)
    curves = []
    for place, norms in enumerate(kinds.values()):
        # beside each other, so that none hides another
        positions = [position + 0.08 * (place - len(kinds) / 2) for position in range(1, len(changes) + 1)]
        seen = [max(float(np.max(measured.series[f"{norm}/{change}"])) for norm in norms) for change in changes]
        name = norms[0] + (f" and {len(norms) - 1} like it" if len(norms) > 1 else "")
        curves.append(Curve(name, positions, [max(value, 1e-17) for value in seen]))
    return Figure(
        title="What each kind of norm notices, in float64",
        x="1 weights ×, 2 rows ×, 3 weights +, 4 data ×, 5 data +, 6 samples ×, 7 ∇ · w, 8 ∇ at 3 w",
        y="largest relative change",
        curves=tuple(curves),
        log_y=True,
        points=True,
    )


def _parts() -> tuple[Part, ...]:
    statements = {**{name: f"{change.statement}: the outputs stay" for name, change in CHANGES.items()}, **GRADIENTS}
    kept = (
        Part(
            change,
            statement=f"{statement} ({', '.join(_norms(change)[0])})",
            holds=Region(0.0, EQUAL),
            judged="every",
            group="identities",
        )
        for change, statement in statements.items()
    )
    noticed = (
        Part(
            f"{change}_noticed",
            statement=f"not so: {', '.join(_norms(change)[1])}",
            holds=Region(low=NOTICED),
            judged="every",
            group="others",
        )
        for change in statements
    )
    return (*kept, *noticed)


CLAIM = Claim(
    claim_id="A17_invariances",
    statement=(
        "Normalized layers are exactly blind to certain changes of weights and data, each kind of norm to its own, and "
        "the gradient of rescalable weights is orthogonal to them and shrinks as they grow"
    ),
    paper=Paper(
        authors="Ba, Kiros and Hinton",
        year=2016,
        title="Layer Normalization",
        section="Section 5.1",
        where="arXiv:1607.06450",
    ),
    scope="exact",
    protocol=(
        f"one layer of {INPUTS} inputs and {FEATURES} features on {ROWS} Gaussian samples, in training mode, in "
        "float64 with ε → 0: weights and samples rescaled and shifted, one way at a time; every norm of bnbench but "
        f"{', '.join(LEFT_OUT)}"
    ),
    statistic=(
        "largest difference of the outputs over their largest value; cosine of gradient and weights. For the norms an "
        "identity is said of the largest value among them, for the others the smallest"
    ),
    rule=f"of every seed, at most {EQUAL:g} where the identity is said to hold, at least {NOTICED:g} where it is not",
    cost=Cost(quick=0.02, full=0.1),
    parts=_parts(),
    measure=measure,
    control=Control(
        statement=(
            "batch norm is blind to what layer norm is blind to and the reverse, and without a norm the gradient is "
            "orthogonal to the weights"
        ),
        values=norms_swapped,
        parts=tuple(
            Part(change, statement=said, holds=Region(0.0, EQUAL), judged="every")
            for change, said in (
                ("rows_rescaled", "layer norm does not notice rescaled rows of weights"),
                ("data_recentred", "layer norm does not notice shifted data"),
                ("weights_recentred", "batch norm does not notice a vector added to every row of the weights"),
                ("samples_rescaled", "batch norm does not notice samples that are rescaled one by one"),
                ("gradient_orthogonal", "without a norm the gradient is orthogonal to the weights"),
                ("gradient_rescaled", "without a norm the gradient shrinks as the weights grow"),
            )
        ),
    ),
    figure=figure,
    seeds={"miniature": 4, "quick": 16, "full": 64},
)
