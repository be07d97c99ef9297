"""How many directions the outputs of a layer really use."""

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.moment import Moment
from bnbench.training.diagnostics.network import without_known_layers

# a rank is at most the number of rows; the time of a decomposition grows with the square of it
MAX_ROWS = 64

Spectrum = Float[Tensor, "replicas values"]


@diagnostic("effective_rank", why_not=without_known_layers)
@torch.no_grad()
def measure_effective_rank(moment: Moment) -> list[Measurement]:
    """Measure the ranks of the outputs of every hidden layer, rows × units, not centred, in evaluation mode.

    effective_rank = exp(−Σ p log p), p = σ / Σσ; stable_rank = Σσ² / max σ²; over the first 64 rows of the probe batch
    at most.
    Units: directions, between 1 and the smaller of rows and units.
    Sources: Roy & Vetterli 2007, The effective rank; Rudelson & Vershynin 2007 (arXiv:math/0503442).
    """
    places = [layer.output for layer in moment.network.layers]
    seen = moment.run(moment.probe.inputs[..., :MAX_ROWS, :], see=places).places
    found = []
    for layer in moment.network.layers:
        spectrum = singular_values(seen[layer.output])
        found += [
            Measurement("effective_rank", layer.name, effective_rank(spectrum)),
            Measurement("stable_rank", layer.name, stable_rank(spectrum)),
        ]
    return found


def singular_values(features: Float[Tensor, "replicas rows units"]) -> Spectrum:
    """Return the singular values of every replica's matrix in float64, ascending; NaN where an entry is not finite.

    They are square roots of the eigenvalues of the smaller Gram matrix, in a third of the time of a decomposition: the
    products of float32 numbers are exact in float64, and what is lost is below 1e-7 of the largest singular value.
    """
    finite = torch.isfinite(features).all(2).all(1)
    values = torch.where(finite[:, None, None], features, 0.0).double()
    gram = values @ values.mT if values.shape[1] < values.shape[2] else values.mT @ values
    spectrum = torch.linalg.eigvalsh(gram).clamp_min(0.0).sqrt()
    return torch.where(finite[:, None], spectrum, torch.nan)


def effective_rank(spectrum: Spectrum) -> Float[Tensor, " replicas"]:
    """Return exp(−Σ p log p) with p = σ / Σσ; 0 for a matrix of zeros."""
    total = spectrum.sum(1)
    shares = spectrum / total[:, None]
    rank = torch.special.entr(shares).sum(1).exp()
    return torch.where(total == 0, 0.0, rank)


def stable_rank(spectrum: Spectrum) -> Float[Tensor, " replicas"]:
    """Return Σσ² / max σ²; 0 for a matrix of zeros."""
    largest = spectrum.amax(1)
    rank = (spectrum / largest[:, None]).square().sum(1)
    return torch.where(largest == 0, 0.0, rank)
