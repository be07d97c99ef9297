"""No normalization: the reference everything else is compared with."""

from torch import nn

from bnbench.norms.registration import norm


@norm("none")
def none(num_features: int) -> nn.Module:
    """Return the identity, y = x, on (batch, features). No parameters, no state."""
    return nn.Identity()
