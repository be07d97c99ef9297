"""Without batch norm the representations of different samples become one direction with depth; with it they do not."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting
from bnbench.claims.random_networks import gaussian_inputs, gaussian_weights, layers

NORMS = ("batch", "layer", "none")
WIDTH, ROWS, DEPTH = 128, 32, 100
# what the theorem is about: no activation, no mean taken away, as many samples as units
THEOREMS_NORM: Mapping[str, Any] = {"name": "batch", "subtract_mean": False, "affine": False, "eps": 1e-30}
# the layers over which its rank is averaged, and how many of them are taken
FROM_LAYER, EVERY = 100, 10


def effective_rank(hidden: Float[Tensor, "... rows width"]) -> Float[Tensor, "..."]:
    """Return exp(−Σ p log p) with p the singular values over their sum (Roy and Vetterli 2007).

    >>> effective_rank(torch.diag(torch.tensor([2.0, 2.0, 0.0])))
    tensor(2.)
    """
    singular = torch.linalg.svdvals(hidden)
    shares = singular / singular.sum(-1, keepdim=True)
    return torch.special.entr(shares).sum(-1).exp()


def participation(hidden: Float[Tensor, "... rows width"]) -> Float[Tensor, "..."]:
    """Return (Σ s²)² / Σ s⁴ over the singular values s: the rank is at least that.

    >>> participation(torch.diag(torch.tensor([3.0, 3.0, 0.0])))
    tensor(2.)
    """
    squares = torch.linalg.svdvals(hidden).square()
    return squares.sum(-1).square() / squares.square().sum(-1)


@torch.no_grad()
def measure(setting: Setting) -> Measured:
    """Return what is left of the effective rank under every norm, and how the rank grows with the width."""
    inputs = gaussian_inputs(setting.seeds, rows=ROWS, width=WIDTH)
    start = effective_rank(inputs)
    weights = list(gaussian_weights(setting.seeds, width=WIDTH, depth=DEPTH, activation="relu"))
    values: dict[str, NDArray[np.float64]] = {}
    series: dict[str, NDArray[np.float64]] = {}
    for norm in NORMS:
        through = layers(inputs, norm={"name": norm}, weights=weights, activation="relu")
        ranks = torch.stack([start, *(effective_rank(layer.outputs) for layer in through)], dim=1)
        values[norm], series[norm] = (ranks[:, -1] / start).numpy(), ranks.mean(0).numpy()
        setting.say(f"ranks of {len(setting.seeds)} networks of {DEPTH} layers with norm {norm}")
    widths = setting.choose(miniature=(16, 32, 64), quick=(16, 32, 64, 128), full=(16, 32, 64, 128, 256))
    ranks_by_width = np.stack([_deep_rank(setting.seeds, width=width) for width in widths])
    values["width"] = np.polyfit(np.log(widths), np.log(ranks_by_width), 1)[0]
    setting.say(f"ranks of linear networks of widths {', '.join(map(str, widths))}")
    return Measured(values, series)


def _deep_rank(seeds: tuple[int, ...], *, width: int) -> NDArray[np.float64]:
    """Return the participation of deep linear networks with the theorem's norm, mean over layers: (seeds,)."""
    inputs = gaussian_inputs(seeds, rows=width, width=width)
    weights = gaussian_weights(seeds, width=width, depth=2 * FROM_LAYER, activation="linear")
    through = layers(inputs, norm=THEOREMS_NORM, weights=weights, activation="linear")
    ranks = [participation(layer.outputs) for layer in islice(through, FROM_LAYER, None, EVERY)]
    return torch.stack(ranks).mean(0).numpy()


def norms_swapped(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """Return layer norm's rank in the place of batch norm's and the reverse; without a norm no growth with width."""
    batch, layer = (np.asarray(measured.values[norm]) for norm in ("batch", "layer"))
    # whatever the width, one direction is left: a slope of 0, with the spread that was measured
    widths = np.asarray(measured.values["width"])
    return {"batch": layer, "layer": batch, "none": batch, "width": widths - widths.mean()}


def figure(measured: Measured) -> Figure:
    """Return the effective rank against depth."""
    names = {"batch": "batch norm", "layer": "layer norm", "none": "no norm"}
    ranks = {norm: np.asarray(measured.series[norm]).tolist() for norm in names}
    return Figure(
        title=f"Effective rank of the outputs of {ROWS} samples at initialisation",
        x="layer (0: the inputs)",
        y="effective rank",
        curves=tuple(Curve(name, list(range(len(ranks[norm]))), ranks[norm]) for norm, name in names.items()),
    )


CLAIM = Claim(
    claim_id="A6_rank_collapse",
    statement=(
        "At initialisation the rank of a batch's representations collapses with depth, and batch norm prevents it: "
        "the rank stays of the order of the width's root or more"
    ),
    paper=Paper(
        authors="Daneshmand, Kohler, Bach, Hofmann and Lucchi",
        year=2020,
        title="Batch Normalization Provably Avoids Rank Collapse for Randomly Initialised Deep Networks",
        section="abstract; theorem on the rank of deep linear networks",
        where="arXiv:2003.01652",
    ),
    scope="exact",
    published="for linear networks a lower bound of order width^(1/2), as the paper's published review quotes it",
    protocol=(
        f"{ROWS} Gaussian inputs, {DEPTH} layers of width {WIDTH}, ReLU, He's Gaussian weights, no biases; batch norm, "
        "layer norm and no norm. For the bound: no activation, batch norm without the mean, as many samples as units, "
        f"widths 16 to 128, layers {FROM_LAYER} to {2 * FROM_LAYER}"
    ),
    statistic=(
        f"effective rank after {DEPTH} layers over that of the inputs; slope of the logarithm of the participation "
        "ratio (Σ s²)²/Σ s⁴, which the rank is at least, against that of the width"
    ),
    rule=(
        "95 % intervals: batch norm keeps at least 0.7 of the effective rank, layer norm and no norm at most 0.1; the "
        "slope is at least 0.5"
    ),
    cost=Cost(quick=0.2, full=0.5),
    parts=(
        Part(
            "batch",
            statement="batch norm keeps at least 0.7 of the rank",
            holds=Region(low=0.7),
            direction=Region(low=0.2),
            unit="×",
        ),
        Part(
            "layer",
            statement="layer norm keeps at most 0.1 of the rank",
            holds=Region(high=0.1),
            direction=Region(high=0.5),
            unit="×",
        ),
        Part(
            "none",
            statement="without a norm at most 0.1 of the rank is left",
            holds=Region(high=0.1),
            direction=Region(high=0.5),
            unit="×",
        ),
        Part(
            "width",
            statement="with batch norm the rank grows at least as the root of the width",
            holds=Region(low=0.5),
            direction=Region(low=0.1),
        ),
    ),
    measure=measure,
    control=Control(
        statement=(
            "layer norm keeps the rank and batch norm loses it, and the rank of deep batch norm networks does not grow "
            "with their width"
        ),
        values=norms_swapped,
        parts=(
            Part("batch", statement="layer norm keeps at least 0.7 of the rank", holds=Region(low=0.7), unit="×"),
            Part("layer", statement="batch norm keeps at most 0.1 of the rank", holds=Region(high=0.1), unit="×"),
            Part("none", statement="batch norm keeps at most 0.1 of the rank", holds=Region(high=0.1), unit="×"),
            Part("width", statement="the rank grows at least as the root of the width", holds=Region(low=0.5)),
        ),
    ),
    figure=figure,
    seeds={"miniature": 4, "quick": 12, "full": 24},
)
