"""Spectral normalization of the weights."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.functional import linear as linear_function
from bnbench.norms.registration import norm
from bnbench.norms.statistics import at_least_float32

_ITERATIONS_AT_START = 15


@norm("spectral", kind="weight")
class Spectral(nn.Module):
    """Divide the weights by their largest singular value, which power iteration follows from step to step.

    Starts at the weights of the Linear it replaces over their σ₁; b is not divided. The gradient takes u and v for
    constants. Written natively, as weight norm is. Weights that are 0 stay 0 instead of becoming NaN.

    Formula: y = x Wᵀ / σ₁ + b, with σ₁ = uᵀ W v; a training step first takes u ← W v / ‖W v‖, v ← Wᵀ u / ‖Wᵀ u‖
    Shapes: (batch, inputs) → (batch, outputs)
    Parameters: W (outputs, inputs), b (outputs,)
    State: u (outputs,), v (inputs,), at random and 15 times iterated at the start, `num_power_iterations` times at
        every training step
    Raises: UserError for fewer than 1 iteration
    Source: Miyato et al. 2018 (arXiv:1802.05957)
    """

    left: Tensor
    right: Tensor

    def __init__(self, linear: nn.Linear, *, num_power_iterations: int = 1) -> None:
        super().__init__()
        if num_power_iterations < 1:
            raise UserError(
                f"norm 'spectral': num_power_iterations={num_power_iterations}: expected at least 1 "
                "(set norm.num_power_iterations)"
            )
        self.num_power_iterations = num_power_iterations
        self.weight = nn.Parameter(linear.weight.detach().clone())
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone())
        with torch.no_grad():
            left, right = (torch.randn(size).to(self.weight) for size in self.weight.shape)
            self.register_buffer("left", left / left.norm())
            self.register_buffer("right", right / right.norm())
            self._follow(_ITERATIONS_AT_START)

    def forward(self, inputs: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return inputs · Wᵀ / σ₁ + bias."""
        if self.training:
            self._follow(self.num_power_iterations)
        # copies of the buffers, which the next step writes while the gradient may still need these
        singular_value = (self.left.clone() * _product(self.weight, self.right.clone())).sum()
        # the outputs are divided, which are fewer than the weights
        outputs = linear_function(inputs, self.weight, None) / torch.where(singular_value == 0, 1.0, singular_value)
        return outputs if self.bias is None else outputs + self.bias

    @torch.no_grad()
    def _follow(self, iterations: int) -> None:
        """Move u and v by power iterations towards the first singular vectors of the weights."""
        for _ in range(iterations):
            self.left.copy_(_direction(_product(self.weight, self.right), otherwise=self.left))
            self.right.copy_(_direction(_product(self.weight.T, self.left), otherwise=self.right))


def _product(matrix: Tensor, vector: Tensor) -> Tensor:
    # products and a sum: the kernels for a matrix times a vector round by the size of the stack
    return (at_least_float32(matrix) * vector).sum(1)


def _direction(vector: Tensor, *, otherwise: Tensor) -> Tensor:
    length = (vector * vector).sum().sqrt()
    return torch.where(length > 0, vector / length, otherwise)
