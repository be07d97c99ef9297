"""Units that have stopped to tell inputs apart: dead, saturated, dormant."""

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.moment import Moment
from bnbench.training.diagnostics.network import without_known_layers

# the outputs between which an activation with two asymptotes is not saturated
UNSATURATED = {"tanh": (-0.97, 0.97), "sigmoid": (0.03, 0.97)}
# τ of a dormant unit: its share of what is usual in its layer
DORMANT_SHARE = 0.025


@diagnostic("units", why_not=without_known_layers)
def units(moment: Moment) -> list[Measurement]:
    """Measure the outputs h of every nonlinearity over the rows of the probe batch, in evaluation mode.

    dead_units, of relu = share of the units with h = 0 in every row; saturated_units, of tanh and sigmoid = share of
    the outputs, over rows and units, with |tanh| > 0.97, or sigmoid < 0.03 or > 0.97; dormant_units = share of the
    units i with mean |h_i| ≤ 0.025 · mean over units of mean |h_j|. A norm that is the nonlinearity too has dormant
    units only.
    Units: none, 0 to 1.
    Source: dormant units by Sokar et al. 2023 (arXiv:2302.12902).
    """
    with torch.no_grad():
        seen = moment.run(moment.probe.inputs, see=[layer.activation_output for layer in moment.network.layers]).places
    activation = moment.network.activation
    found = []
    for layer in moment.network.layers:
        outputs = seen[layer.activation_output]
        if activation == "relu":
            found.append(Measurement("dead_units", layer.name, dead(outputs)))
        if activation in UNSATURATED:
            low, high = UNSATURATED[activation]
            found.append(Measurement("saturated_units", layer.name, saturated(outputs, low=low, high=high)))
        found.append(Measurement("dormant_units", layer.name, dormant(outputs)))
    return found


def dead(outputs: Float[Tensor, "replicas rows units"]) -> Float[Tensor, " replicas"]:
    """Return the share of units that are 0 in every row."""
    return (outputs == 0).all(1).double().mean(1)


def saturated(outputs: Float[Tensor, "replicas rows units"], *, low: float, high: float) -> Float[Tensor, " replicas"]:
    """Return the share of outputs beyond the bounds."""
    return ((outputs < low) | (outputs > high)).double().mean((1, 2))


def dormant(outputs: Float[Tensor, "replicas rows units"]) -> Float[Tensor, " replicas"]:
    """Return the share of units whose mean magnitude is at most DORMANT_SHARE of that of all units."""
    magnitude = outputs.abs().double().mean(1)
    return (magnitude <= DORMANT_SHARE * magnitude.mean(1, keepdim=True)).double().mean(1)
