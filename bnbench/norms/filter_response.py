"""Filter response normalization with its thresholded linear unit."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.norms.checks import require_positive
from bnbench.norms.registration import norm
from bnbench.norms.statistics import at_least_float32


@norm("filter_response")
class FilterResponse(nn.Module):
    """Divide every value by its own size, then cut it off from below at a learned threshold.

    The norm of a convolution's filters, by the mean square ν² of the values of a filter over the image. A feature of a
    fully connected layer is a filter with one value, ν² = x². The norm is degenerate there: with a small fixed ε it
    gives little more than the sign of x. This is why the paper learns ε where filters have one value, as done here:
    √ε_l is the size of x from which on the output saturates.

    The thresholded unit max(y, τ) is the activation that belongs to the norm and takes the place of the network's own
    (`replaces_activation`); with `threshold=false` there is no τ, and the network keeps its activation. At the inputs
    and the outputs of the MLP, where no activation stands, only that is taken.

    Formula: y = max(τ, γ x / √(x² + |ε_l| + ε) + β)
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β, τ (features,); ε_l (), which starts at the option `learned_eps`
    State: none
    Raises: UserError for an ε or a start of ε_l not above 0
    Source: Singh and Krishnan 2020 (arXiv:1911.09737)
    """

    def __init__(
        self, num_features: int, *, threshold: bool = True, eps: float = 1e-6, learned_eps: float = 1e-4
    ) -> None:
        super().__init__()
        require_positive("filter_response", "eps", eps)
        require_positive("filter_response", "learned_eps", learned_eps)
        self.replaces_activation = threshold
        self.eps = eps
        self.learned_eps = nn.Parameter(torch.tensor(float(learned_eps)))
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.threshold = nn.Parameter(torch.zeros(num_features)) if threshold else None

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs, not below the threshold, in their dtype."""
        values = at_least_float32(inputs)
        response = values * torch.rsqrt(values * values + (self.learned_eps.abs() + self.eps))
        outputs = torch.addcmul(self.bias, response, self.weight)
        if self.threshold is not None:
            outputs = torch.maximum(outputs, self.threshold)
        return outputs.to(inputs.dtype)
