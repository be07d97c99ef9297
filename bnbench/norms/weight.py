"""Weight normalization: the second kind of norm, which replaces the Linear itself."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.functional import linear as linear_function
from bnbench.norms.registration import norm


@norm("weight", kind="weight")
class Weight(nn.Module):
    """Reparametrise every row of the weights as length times direction.

    Starts at the weights of the Linear it replaces: v = w, g = ‖w‖. Written natively, since torch's parametrization
    makes a new class per module and does not stack. A zero row stays zero instead of becoming NaN.

    Formula: y = x Wᵀ + b, with the rows w = g v / ‖v‖
    Shapes: (batch, inputs) → (batch, outputs)
    Parameters: v (outputs, inputs), g (outputs,), b (outputs,)
    State: none
    Source: Salimans and Kingma 2016 (arXiv:1602.07868)
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        direction = linear.weight.detach().clone()
        self.direction = nn.Parameter(direction)
        self.length = nn.Parameter(torch.linalg.vector_norm(direction, dim=1))
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone())

    def forward(self, inputs: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return inputs · wᵀ + bias."""
        norms = torch.linalg.vector_norm(self.direction, dim=1)
        scale = self.length / torch.where(norms == 0, 1.0, norms)
        return linear_function(inputs, self.direction * scale.unsqueeze(1), self.bias)
