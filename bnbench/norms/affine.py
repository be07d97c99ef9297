"""A learned scale and shift without normalization: the control."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.norms.registration import norm


@norm("affine")
class Affine(nn.Module):
    """Scale and shift every feature: the parameters of a norm and none of its statistics.

    What a norm gains over this one it does not owe to its parameters.

    Formula: y = γ x + β
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: none
    Source: none
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the scaled and shifted inputs, in their dtype."""
        return torch.addcmul(self.bias, inputs, self.weight).to(inputs.dtype)
