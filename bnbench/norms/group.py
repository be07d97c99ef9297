"""Group normalization."""

from torch import nn

from bnbench.norms.checks import require_divisor, require_positive
from bnbench.norms.registration import norm


@norm("group")
def group(num_features: int, *, num_groups: int = 4, eps: float = 1e-5, affine: bool = True) -> nn.Module:
    """Normalize every row over each of `num_groups` equal blocks of its features; one group is layer norm.

    Torch's own layer.

    Formula: y = γ (x − μ) / √(σ² + ε) + β, with μ and σ² of the row over the block
    Shapes: (batch, features) → (batch, features)
    Parameters: γ, β (features,)
    State: none
    Raises: UserError for an ε not above 0 and when the groups do not divide the features
    Source: Wu and He 2018 (arXiv:1803.08494)
    """
    require_positive("group", "eps", eps)
    require_divisor("group", "num_groups", num_groups, num_features)
    return nn.GroupNorm(num_groups, num_features, eps=eps, affine=affine)
