"""Weight standardization with a learned gain per row."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.functional import linear as linear_function
from bnbench.norms.registration import norm
from bnbench.norms.statistics import at_least_float32


@norm("weight_standardized", kind="weight")
class WeightStandardized(nn.Module):
    """Reparametrise every row of the weights as gain times its standardised values.

    Starts at the weights of the Linear it replaces less their row means: v = w, g = √n σ. The gain is what a row of
    mean 0 may still learn, its length. A row without spread gives 0.

    Formula: y = x Wᵀ + b, with the rows w = g (v − μ) / (√n σ), μ and σ² being mean and variance of the n values of v
    Shapes: (batch, inputs) → (batch, outputs)
    Parameters: v (outputs, inputs), g (outputs,), b (outputs,)
    State: none
    Raises: UserError for a Linear of one input, whose rows would be 0
    Source: Qiao et al. 2019 (arXiv:1903.10520); gain and √n of Brock et al. 2021 (arXiv:2101.08692)
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        if linear.in_features < 2:
            raise UserError(
                "norm 'weight_standardized': a row of 1 weight less its mean is 0; expected at least 2 inputs"
            )
        self.direction = nn.Parameter(linear.weight.detach().clone())
        _, length = self._centred()
        self.gain = nn.Parameter(length.detach().to(self.direction.dtype))
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone())

    def forward(self, inputs: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return inputs · wᵀ + bias."""
        centred, length = self._centred()
        scale = self.gain / torch.where(length == 0, 1.0, length)
        # the rows are scaled in the outputs, which are fewer than the weights
        outputs = linear_function(inputs, centred.to(self.direction.dtype), None) * scale.to(self.direction.dtype)
        return outputs if self.bias is None else outputs + self.bias

    def _centred(self) -> tuple[Tensor, Tensor]:
        """Return v − μ and its length √n σ per row."""
        values = at_least_float32(self.direction)
        centred = values - values.mean(1, keepdim=True)
        return centred, torch.linalg.vector_norm(centred, dim=1)
