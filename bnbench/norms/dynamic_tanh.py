"""Dynamic tanh: a squashing function in the place of a norm."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.norms.checks import require_positive
from bnbench.norms.registration import norm
from bnbench.norms.statistics import at_least_float32


@norm("dynamic_tanh")
class DynamicTanh(nn.Module):
    """Squash every value by a tanh of learned slope; no statistics.

    Formula: y = γ tanh(α x) + β
    Shapes: (batch, features) → (batch, features)
    Parameters: α (), which starts at the option `alpha`; γ, β (features,)
    State: none
    Raises: UserError for an α not above 0
    Source: Zhu et al. 2025 (arXiv:2503.10622)
    """

    def __init__(self, num_features: int, *, alpha: float = 0.5) -> None:
        super().__init__()
        require_positive("dynamic_tanh", "alpha", alpha)
        self.alpha = nn.Parameter(torch.tensor(float(alpha)))
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the squashed inputs, in their dtype."""
        squashed = torch.tanh(self.alpha * at_least_float32(inputs))
        return torch.addcmul(self.bias, squashed, self.weight).to(inputs.dtype)
