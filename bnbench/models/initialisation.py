"""Initial weights: every Linear draws from a stream named by where it stands, so no norm shifts another's weights."""

import math
from collections.abc import Callable, Container

import torch
from torch import Tensor, nn

from bnbench.errors import UserError, nearest
from bnbench.seeding import generator

Initialise = Callable[[Tensor, float, torch.Generator], None]


def _normal(variance_of: Callable[[int, int], float]) -> Initialise:
    def initialise(weight: Tensor, _std: float, stream: torch.Generator) -> None:
        outputs, inputs = weight.shape
        weight.normal_(0.0, math.sqrt(variance_of(inputs, outputs)), generator=stream)

    return initialise


def _orthogonal(weight: Tensor, _std: float, stream: torch.Generator) -> None:
    nn.init.orthogonal_(weight, generator=stream)


def _gaussian(weight: Tensor, std: float, stream: torch.Generator) -> None:
    weight.normal_(0.0, std, generator=stream)


# normal draws throughout: he 2/in (arXiv:1502.01852), xavier 2/(in + out) (Glorot and Bengio 2010), lecun 1/in
# (LeCun et al. 1998), orthogonal (arXiv:1312.6120), gaussian with the std given
INITIALISATIONS: dict[str, Initialise] = {
    "he": _normal(lambda inputs, outputs: 2 / inputs),
    "xavier": _normal(lambda inputs, outputs: 2 / (inputs + outputs)),
    "lecun": _normal(lambda inputs, outputs: 1 / inputs),
    "orthogonal": _orthogonal,
    "gaussian": _gaussian,
}


@torch.no_grad()
def initialise(network: nn.Module, *, name: str, std: float, seed: int, skip: Container[nn.Module] = ()) -> None:
    """Draw the weights of every Linear of the network but those in `skip`, and set its biases to 0.

    Drawn in float32 on the CPU whatever the precision of training. Raises UserError for an unknown name.
    """
    if name not in INITIALISATIONS:
        raise UserError(f"model.initialisation={name!r} is unknown; {nearest(name, INITIALISATIONS)}")
    for place, module in network.named_modules():
        if isinstance(module, nn.Linear) and module not in skip:
            INITIALISATIONS[name](module.weight, std, generator(seed, "initialisation", place))
            if module.bias is not None:
                module.bias.zero_()
