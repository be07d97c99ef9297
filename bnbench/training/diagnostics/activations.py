"""The distribution of what goes into every nonlinearity, and how far it has moved."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from bnbench.training.diagnostics.ascending import ascending
from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.moment import Moment
from bnbench.training.diagnostics.network import without_known_layers

PERCENTILES = (0.15, 0.50, 0.85)


@diagnostic("activations", why_not=without_known_layers)
def activations(moment: Moment) -> list[Measurement]:
    """Measure the inputs x of every nonlinearity over the rows of the probe batch and the units, in evaluation mode.

    activation_mean = mean x; activation_deviation = √mean (x − mean x)²; activation_p15, _p50, _p85 its percentiles.
    activation_drift = mean over these percentiles q of |q − q at the evaluation before| / (p85 − p15); not at the
    first evaluation.
    Units: those of the activations; the drift has none.
    Source: the percentiles are those of Ioffe and Szegedy 2015 (arXiv:1502.03167), figure 1 b and c.
    """
    with torch.no_grad():
        seen = moment.run(moment.probe.inputs, see=[layer.activation_input for layer in moment.network.layers]).places
    found = []
    for layer in moment.network.layers:
        values = seen[layer.activation_input].flatten(1)  # (replicas, rows · units)
        percentiles, values = percentiles_of(values, PERCENTILES), values.double()
        found += [
            Measurement("activation_mean", layer.name, values.mean(1)),
            Measurement("activation_deviation", layer.name, values.std(1, correction=0)),
            *(
                Measurement(f"activation_p{share * 100:.0f}", layer.name, percentiles[:, column])
                for column, share in enumerate(PERCENTILES)
            ),
        ]
        if layer.name in moment.memory:
            moved = (percentiles - moment.memory[layer.name]).abs().mean(1)
            spread = percentiles[:, -1] - percentiles[:, 0]
            found.append(Measurement("activation_drift", layer.name, moved / spread))
        moment.memory[layer.name] = percentiles
    return found


def percentiles_of(
    values: Float[Tensor, "replicas numbers"], shares: Sequence[float]
) -> Float[Tensor, "replicas shares"]:
    """Return the percentiles of each row, linear between the two numbers next to them."""
    # not torch.quantile, which refuses more than 16 million numbers
    ordered = ascending(values)
    positions = torch.tensor(shares, dtype=torch.float64, device=values.device) * (values.shape[1] - 1)
    below = positions.floor().long()
    above = positions.ceil().long()
    return torch.lerp(ordered[:, below].double(), ordered[:, above].double(), positions - below)
