"""Scale normalization: every row to one learned length."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.norms.checks import require_positive
from bnbench.norms.registration import norm
from bnbench.norms.statistics import at_least_float32


@norm("scale")
class Scale(nn.Module):
    """Scale every row to one learned length; nothing is centred.

    As rms with one gain for all features, and without an ε inside the root: rows shorter than ε are divided by ε.

    Formula: y = g x / max(‖x‖, ε), with the length ‖x‖ = √Σx² of the row
    Shapes: (batch, features) → (batch, features)
    Parameters: g (), which starts at √features
    State: none
    Raises: UserError for an ε not above 0
    Source: Nguyen and Salazar 2019 (arXiv:1910.05895)
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        require_positive("scale", "eps", eps)
        self.eps = eps
        self.gain = nn.Parameter(torch.tensor(float(num_features)).sqrt())

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the scaled inputs, in their dtype."""
        values = at_least_float32(inputs)
        # y does not depend on the unit of length: in that of the largest value no square overflows or is lost
        unit = values.detach().abs().amax(1, keepdim=True).clamp_min(self.eps)
        scaled = values / unit
        least = (self.eps / unit).square()
        squared = (scaled * scaled).sum(1, keepdim=True)
        return (scaled * (self.gain * torch.rsqrt(squared.clamp_min(least)))).to(inputs.dtype)
