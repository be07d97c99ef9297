"""Batch norm makes the representations of different samples orthogonal with depth, the more so the wider the layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting
from bnbench.claims.random_networks import gaussian_inputs, gaussian_weights, layers

# the paper's BN(M) = diag(M Mᵀ)^(−1/2) M, but for a scale that the gap does not see
WITHOUT_MEAN: Mapping[str, Any] = {"name": "batch", "subtract_mean": False, "affine": False, "eps": 1e-30}
NO_NORM: Mapping[str, Any] = {"name": "none"}
# as many samples as in the authors' own figures
ROWS = 4
# how far the inputs are from one direction, in the units of that direction's entries
SPREAD = 1e-2
# layers after which the gap has reached its floor
SETTLED = 50


def orthogonality_gap(hidden: Float[Tensor, "... rows width"]) -> Float[Tensor, "..."]:
    """Return V = ‖H Hᵀ/‖H‖² − I/n‖ (Frobenius norms) of n samples: 0 where they are orthogonal and equally long.

    >>> orthogonality_gap(torch.eye(3, 5)), orthogonality_gap(torch.ones(2, 5))
    (tensor(0.), tensor(0.7071))
    """
    gram = hidden @ hidden.mT / hidden.square().sum((-2, -1), keepdim=True)
    rows = hidden.shape[-2]
    return (gram - torch.eye(rows, dtype=hidden.dtype) / rows).square().sum((-2, -1)).sqrt()


def gaps(seeds: Sequence[int], *, norm: Mapping[str, Any], width: int, depth: int) -> NDArray[np.float64]:
    """Return V of the inputs, which are nearly one direction, and of every layer: (seeds, depth + 1)."""
    shared = gaussian_inputs(seeds, rows=1, width=width, name="shared direction")
    inputs = shared + SPREAD * gaussian_inputs(seeds, rows=ROWS, width=width)
    weights = gaussian_weights(seeds, width=width, depth=depth, activation="linear")
    through = layers(inputs, norm=norm, weights=weights, activation="linear")
    found = [orthogonality_gap(inputs), *(orthogonality_gap(layer.outputs) for layer in through)]
    return torch.stack(found, dim=1).numpy()


@torch.no_grad()
def measure(setting: Setting) -> Measured:
    """Return how far the gap falls with depth, and the slope of its floor against the width."""
    widths = setting.choose(miniature=(16, 32, 64), quick=(32, 64, 128, 256), full=(32, 64, 128, 256, 512))
    depth = setting.choose(miniature=200, quick=200, full=500)
    by_width = {}
    for width in widths:
        by_width[width] = gaps(setting.seeds, norm=WITHOUT_MEAN, width=width, depth=depth)
        setting.say(f"gaps of {len(setting.seeds)} networks of {depth} layers of width {width}")
    floors = np.stack([found[:, SETTLED:].mean(1) for found in by_width.values()])
    widest = by_width[widths[-1]]
    plain = gaps(setting.seeds, norm=NO_NORM, width=widths[-1], depth=2 * SETTLED)
    values = {
        "floor": np.polyfit(np.log(widths), np.log(floors), 1)[0],
        "falls": widest[:, SETTLED] / widest[:, 0],
        "none": plain[:, SETTLED] / plain[:, 0],
    }
    shown = {f"width_{width}": found[:, : 2 * SETTLED + 1].mean(0) for width, found in by_width.items()}
    return Measured(values, {"widths": list(widths), "none": plain.mean(0), **shown})


def without_a_norm(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """Return what there is without batch norm: a gap that does not fall, and so no floor that falls with the width."""
    floor, plain = np.asarray(measured.values["floor"]), np.asarray(measured.values["none"])
    return {"floor": floor - floor.mean(), "falls": plain, "none": np.asarray(measured.values["falls"])}


def figure(measured: Measured) -> Figure:
    """Return the gap against depth for every width."""
    curves = []
    for width in np.asarray(measured.series["widths"]).astype(int).tolist():
        found = np.asarray(measured.series[f"width_{width}"]).tolist()
        curves.append(Curve(f"batch norm, width {width}", list(range(len(found))), found))
    plain = np.asarray(measured.series["none"]).tolist()
    curves.append(Curve(f"no norm, width {width}", list(range(len(plain))), plain, dashed=True))
    return Figure(
        title=f"How far {ROWS} samples are from orthogonal at initialisation",
        x="layer (0: the inputs)",
        y="orthogonality gap V",
        curves=tuple(curves),
        log_y=True,
    )


FALLS = Region(high=0.25)

CLAIM = Claim(
    claim_id="A7_bn_orthogonalises",
    statement=(
        "At initialisation batch norm makes the samples of a batch orthogonal with depth: the orthogonality gap V "
        "falls quickly, and then stays at a floor that falls with the root of the width"
    ),
    paper=Paper(
        authors="Daneshmand, Joudaki and Bach",
        year=2021,
        title="Batch Normalization Orthogonalizes Representations in Deep Random Networks",
        section="Theorem 1, Figure 2",
        where="arXiv:2106.03970",
    ),
    scope="exact",
    published=(
        "slope −0.46 of log V against log width, V over 500 layers and 20 runs (the paper's text); −1/2 in its theory"
    ),
    protocol=(
        f"{ROWS} inputs that are nearly one direction, Gaussian weights, no biases, no activation, batch norm without "
        "the mean; 200 layers (500 in full), widths 32 to 256 (512); also without a norm"
    ),
    statistic=(
        f"slope of log V, mean over the layers from {SETTLED} on, against log width; V after {SETTLED} layers over V "
        "of the inputs, at the largest width"
    ),
    rule=(
        "95 % intervals: the slope lies in [−0.6, −0.35]; V falls to a quarter or less with batch norm, and without a "
        "norm does not"
    ),
    cost=Cost(quick=0.4, full=2.0),
    parts=(
        Part(
            "floor",
            statement="the floor of V falls with the width by a power from −0.6 to −0.35",
            holds=Region(-0.6, -0.35),
            direction=Region(high=-0.1),
        ),
        Part(
            "falls",
            statement="with batch norm V falls to a quarter or less",
            holds=FALLS,
            direction=Region(high=0.9),
            unit="×",
        ),
        Part("none", statement="without a norm V does not fall to a quarter", holds=Region(low=0.25), unit="×"),
    ),
    measure=measure,
    control=Control(
        statement="samples become orthogonal without a norm, and not with batch norm, whatever the width",
        values=without_a_norm,
        parts=(
            Part("floor", statement="the floor of V falls with the width", holds=Region(-0.6, -0.35)),
            Part("falls", statement="without a norm V falls to a quarter or less", holds=FALLS, unit="×"),
            Part("none", statement="with batch norm V does not fall to a quarter", holds=Region(low=0.25), unit="×"),
        ),
    ),
    figure=figure,
    seeds={"miniature": 4, "quick": 12, "full": 20},
)
