"""Batch norm couples samples: with depth, the outputs of a sample come to depend on the company more than on itself."""

from collections.abc import Iterator, Sequence
from math import exp, lgamma, pi

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region, Setting
from bnbench.claims.random_networks import Layer, gaussian_inputs, gaussian_weights, layers, seeds_at_once

BATCH_SIZE = 32
NORMS = ("batch", "layer", "none")
# the last layers, over which the similarity is averaged
SETTLED = 10


def settled_similarity(batch_size: int) -> float:
    """Return c*, the cosine of a sample's outputs in two deep passes whose normed values have become independent.

    They are those of two vectors y, y' on the sphere of radius √B among the vectors of sum 0, after a ReLU:
    E relu(yᵢ) E relu(y'ᵢ) / E relu(yᵢ)² = (E|yᵢ|)² / 2, with E|yᵢ| = √((B − 1)/π) Γ((B − 1)/2) / Γ(B/2).
    It tends to 1/π.

    >>> round(settled_similarity(8), 3), round(settled_similarity(10_000), 3)
    (0.342, 0.318)
    """
    gammas = exp(lgamma((batch_size - 1) / 2) - lgamma(batch_size / 2))
    return (batch_size - 1) / pi * gammas**2 / 2


def two_passes(
    seeds: Sequence[int], *, norm: str, weights: Sequence[Tensor], batch_size: int
) -> Iterator[tuple[Layer, Layer]]:
    """Yield the layers of one network per seed on two batches that differ in their last row alone."""
    width = weights[0].shape[1]
    batch = gaussian_inputs(seeds, rows=batch_size, width=width)
    other = batch.clone()
    other[:, -1] = gaussian_inputs(seeds, rows=1, width=width, name="another sample")[:, 0]
    passes = (layers(rows, norm={"name": norm}, weights=weights, activation="relu") for rows in (batch, other))
    return zip(*passes, strict=True)


def similarity(one: Float[Tensor, "seeds rows width"], other: Float[Tensor, "seeds rows width"]) -> Tensor:
    """Return the cosine between the same rows of two passes, its mean over the rows: (seeds,).

    >>> similarity(torch.tensor([[[1.0, 0.0], [2.0, 0.0]]]), torch.tensor([[[3.0, 0.0], [0.0, 1.0]]]))
    tensor([0.5000])
    """
    return torch.cosine_similarity(one, other, dim=2, eps=1e-300 if one.dtype is torch.float64 else 1e-30).mean(1)


@torch.no_grad()
def measure(setting: Setting) -> Measured:
    """Return how alike the outputs of the shared samples stay, and by how much they change at all."""
    width = setting.choose(miniature=96, quick=256, full=512)
    depth = setting.choose(miniature=60, quick=80, full=100)
    found: dict[str, list[Tensor]] = {norm: [] for norm in NORMS}
    for seeds in seeds_at_once(setting.seeds, width=width, depth=depth):
        weights = list(gaussian_weights(seeds, width=width, depth=depth, activation="relu"))
        for norm in NORMS:
            passes = two_passes(seeds, norm=norm, weights=weights, batch_size=BATCH_SIZE)
            found[norm].append(torch.stack([torch.stack(_compared(*pair)) for pair in passes], dim=1))
        setting.say(f"two passes of seeds {seeds[0]} to {seeds[-1]} through {depth} layers with {len(NORMS)} norms")
    # (similarity and change, layers, seeds)
    joined = {norm: torch.cat(parts, dim=2).numpy() for norm, parts in found.items()}
    similarities = {norm: values[0].T for norm, values in joined.items()}
    changes = {norm: values[1].max(0) for norm, values in joined.items()}
    values = {
        "decorrelates": similarities["batch"][:, -SETTLED:].mean(1),
        "settles": similarities["batch"][:, -SETTLED:].mean(1) - settled_similarity(BATCH_SIZE),
        "layer": changes["layer"],
        "none": changes["none"],
    }
    series = {norm: found.mean(0) for norm, found in similarities.items()}
    series |= {"layer_settled": similarities["layer"][:, -SETTLED:].mean(1), "batch_change": changes["batch"]}
    return Measured(values, series)


def _compared(one: Layer, other: Layer) -> tuple[Tensor, Tensor]:
    """Return how alike the outputs of the shared samples are, and their largest difference: (seeds,) each."""
    shared = one.outputs[:, :-1], other.outputs[:, :-1]
    return similarity(*shared), (shared[0] - shared[1]).abs().amax((1, 2))


def norms_swapped(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """Return layer norm's similarity in the place of batch norm's, and batch norm's change in that of the others."""
    similar, change = (np.asarray(measured.series[name]) for name in ("layer_settled", "batch_change"))
    return {
        "decorrelates": similar,
        "settles": similar - settled_similarity(BATCH_SIZE),
        "layer": change,
        "none": change,
    }


def figure(measured: Measured) -> Figure:
    """Return the similarity against depth."""
    names = {"batch": "batch norm", "layer": "layer norm", "none": "no norm"}
    curves = []
    for norm, name in names.items():
        found = np.asarray(measured.series[norm]).tolist()
        curves.append(Curve(name, list(range(1, len(found) + 1)), found))
    depth = len(np.asarray(measured.series["batch"]))
    settled = settled_similarity(BATCH_SIZE)
    curves.append(Curve("batch norm: theory", [1, depth], [settled, settled], dashed=True))
    return Figure(
        title="A sample's outputs in two batches that differ in one other sample",
        x="layer",
        y="cosine similarity of the outputs",
        curves=tuple(curves),
    )


UNTOUCHED = Region(0.0, 0.0)

CLAIM = Claim(
    claim_id="A5_bn_cross_batch",
    statement=(
        "In a deep batch norm network at initialisation two batches that share all samples but one drift apart with "
        "depth, until the outputs of a shared sample are no more alike than those of any two; without batch norm the "
        "others change nothing"
    ),
    paper=Paper(
        authors="Yang, Pennington, Rao, Sohl-Dickstein and Schoenholz",
        year=2019,
        title="A Mean Field Theory of Batch Normalization",
        section="Appendix H",
        where="arXiv:1902.08129",
    ),
    scope="exact",
    protocol=(
        f"Gaussian inputs and weights, no biases, ReLU, 80 layers of width 256; two batches of {BATCH_SIZE} that share "
        f"{BATCH_SIZE - 1} samples go through the same network with batch norm, layer norm and no norm"
    ),
    statistic=(
        f"cosine similarity of a shared sample's outputs in the two passes, mean over samples and the last {SETTLED} "
        "layers; largest change of any output of a shared sample in any layer"
    ),
    rule=(
        "with batch norm the 95 % interval of the similarity lies below 0.9, and within 0.05 of the value that theory "
        "gives for values that have become independent; with layer norm and without a norm no output of any seed "
        "changes in any bit"
    ),
    cost=Cost(quick=0.2, full=0.6),
    parts=(
        Part("decorrelates", statement="batch norm: the similarity falls below 0.9", holds=Region(-1.0, 0.9)),
        Part(
            "settles",
            statement=f"batch norm: it settles at c* = {settled_similarity(BATCH_SIZE):.3f} (difference, ± 0.05)",
            holds=Region(-0.05, 0.05),
            direction=Region(-0.05, 0.55),
        ),
        Part("layer", statement="layer norm: the outputs do not change", holds=UNTOUCHED, judged="every"),
        Part("none", statement="no norm: the outputs do not change", holds=UNTOUCHED, judged="every"),
    ),
    measure=measure,
    control=Control(
        statement="layer norm couples samples, and batch norm leaves those that are shared as they are",
        values=norms_swapped,
    ),
    figure=figure,
    seeds={"miniature": 4, "quick": 12, "full": 24},
)
