"""Layers that stack: what the builder puts in the place of torch's own."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.functional import linear
from bnbench.models.activations import SELU_ALPHA, SELU_SCALE
from bnbench.seeding import CounterRandom

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def as_torch_made_it(module: nn.Module) -> bool:
    """Return whether nothing was hung on the module: no hooks, no forward of its own, no weight made from others."""
    plain = "forward" not in vars(module) and not any(vars(module).get(name) for name in _HOOKS)
    return plain and (not isinstance(module, nn.Linear) or set(module._parameters) == {"weight", "bias"})


class StackableLinear(nn.Linear):
    """`torch.nn.Linear` through the product that has a rule for stacks of replicas; same parameters, same names."""

    def forward(self, input: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return input · weightᵀ + bias."""
        return linear(input, self.weight, self.bias)

    @classmethod
    def taking_over(cls, module: nn.Linear) -> "StackableLinear":
        """Return the layer with the parameters of `module`."""
        layer = cls(module.in_features, module.out_features, bias=module.bias is not None, device="meta")
        layer.weight, layer.bias = module.weight, module.bias
        return layer


class StackableDropout(nn.Module):
    """Dropout on a replica's own stream: y = x · 1[u ≥ p] / (1 − p) in training, x in evaluation.

    Any shape, rows first. `first_row` is where in the whole batch the rows at hand begin, where others are elsewhere.
    State: the stream's key and step. Source: Srivastava et al. 2014.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.first_row = 0
        self.random = CounterRandom()

    def forward(self, inputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the inputs with a share `probability` of them set to 0."""
        if not self.training or self.probability == 0.0:
            return inputs
        if self.probability == 1.0:
            return inputs * 0.0
        kept = _kept(self.random, inputs, self.probability, first_row=self.first_row)
        return inputs * kept.to(inputs.dtype) / (1.0 - self.probability)


class StackableAlphaDropout(nn.Module):
    """Dropout to SELU's lower bound ω = −λα on a replica's own stream; mean 0 and variance 1 are kept.

    y = a (x · 1[u ≥ p] + ω · 1[u < p]) + b in training, with a = ((1 − p)(1 + p ω²))^(−1/2) and b = −a p ω; x in
    evaluation. Any shape, rows first, from `first_row` of the whole batch on. State: the stream's key and step.
    Source: Klambauer et al. 2017 (arXiv:1706.02515).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.first_row = 0
        self.random = CounterRandom()

    def forward(self, inputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the inputs with a share `probability` of them set to the bound, scaled and shifted."""
        if not self.training or self.probability == 0.0:
            return inputs
        if self.probability == 1.0:
            return inputs * 0.0
        bound, dropped = -SELU_SCALE * SELU_ALPHA, self.probability
        scale = ((1.0 - dropped) * (1.0 + dropped * bound * bound)) ** -0.5
        kept = _kept(self.random, inputs, dropped, first_row=self.first_row)
        return torch.where(kept, inputs, bound) * scale - scale * dropped * bound


def _kept(random: CounterRandom, inputs: Tensor, probability: float, *, first_row: int) -> Tensor:
    # the signed 32-bit value lies below this threshold with the wanted probability
    threshold = int(probability * 2**32) - 2**31
    return random(inputs, first=first_row * inputs[0].numel()) >= threshold
