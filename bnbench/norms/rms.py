"""Root-mean-square normalization."""

from torch import nn

from bnbench.norms.checks import require_positive
from bnbench.norms.registration import norm


@norm("rms")
def rms(num_features: int, *, eps: float = 1e-5, affine: bool = True) -> nn.Module:
    """Scale every row by its root mean square; nothing is centred.

    Torch's own layer.

    Formula: y = γ x / √(mean(x²) + ε), with the mean over the row
    Shapes: (batch, features) → (batch, features)
    Parameters: γ (features,)
    State: none
    Raises: UserError for an ε not above 0
    Source: Zhang and Sennrich 2019 (arXiv:1910.07467)
    """
    require_positive("rms", "eps", eps)
    return nn.RMSNorm(num_features, eps=eps, elementwise_affine=affine)
