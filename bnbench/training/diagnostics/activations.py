"""The distribution of what goes into every nonlinearity, and how far it has moved."""

import torch

from bnbench.training.diagnostics.ascending import PERCENTILES, ascending, percentiles
from bnbench.training.diagnostics.diagnostic import Measurement, diagnostic
from bnbench.training.diagnostics.moment import Moment
from bnbench.training.diagnostics.network import without_known_layers


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
        now, values = percentiles(ascending(values), PERCENTILES), values.double()
        found += [
            Measurement("activation_mean", layer.name, values.mean(1)),
            Measurement("activation_deviation", layer.name, values.std(1, correction=0)),
            *(
                Measurement(f"activation_p{share * 100:.0f}", layer.name, now[:, column])
                for column, share in enumerate(PERCENTILES)
            ),
        ]
        if layer.name in moment.memory:
            moved = (now - moment.memory[layer.name]).abs().mean(1)
            spread = now[:, -1] - now[:, 0]
            found.append(Measurement("activation_drift", layer.name, moved / spread))
        moment.memory[layer.name] = now
    return found
