"""No normalization: the reference everything else is compared with."""

from torch import nn

from bnbench.norms.registration import norm


@norm("none")
def none(num_features: int) -> nn.Module:
    """Return the identity.

    Formula: y = x
    Shapes: (batch, features) → (batch, features)
    Parameters: none
    State: none
    Source: none
    """
    return nn.Identity()
