"""Layer normalization."""

from torch import nn

from bnbench.norms.checks import require_positive
from bnbench.norms.registration import norm


@norm("layer")
def layer(num_features: int, *, eps: float = 1e-5, affine: bool = True) -> nn.Module:
    """Normalize every row over its features.

    Torch's own layer.

    Formula: y = γ (x − μ) / √(σ² + ε) + β, with μ and σ² of the row
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: none
    Raises: UserError for an ε not above 0
    Source: Ba, Kiros and Hinton 2016 (arXiv:1607.06450)
    """
    require_positive("layer", "eps", eps)
    return nn.LayerNorm(num_features, eps=eps, elementwise_affine=affine)
