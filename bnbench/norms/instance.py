"""Instance normalization on features read as channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from bnbench.errors import UserError
from bnbench.norms.checks import require_divisor, require_positive
from bnbench.norms.registration import norm


@norm("instance")
class Instance(nn.Module):
    """Normalize each channel of each row, the features being read as (channels, length).

    What torch's `InstanceNorm1d` makes of the (batch, channels, length) view. Given (batch, features) as it is, that
    layer takes the batch for channels without a word; the view and a stated number of channels rule this out. Computed
    by torch's layer norm over the length, the same formula: the kernel of `InstanceNorm1d` rounds a stack of one
    replica otherwise than a larger one.

    Formula: y = (x − μ) / √(σ² + ε), with μ and σ² of the row over the channel; γ and β per channel with `affine`
    Shapes: (batch, features) → (batch, features), features = num_channels · length
    Parameters: none; with `affine` γ, β (num_channels,)
    State: none
    Raises: UserError for an ε not above 0 and when the channels do not divide the features or leave a length of 1,
        where the output would be 0
    Source: Ulyanov, Vedaldi and Lempitsky 2016 (arXiv:1607.08022)
    """

    def __init__(self, num_features: int, *, num_channels: int = 2, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        require_positive("instance", "eps", eps)
        require_divisor("instance", "num_channels", num_channels, num_features)
        if num_features // num_channels < 2:
            raise UserError(
                f"norm 'instance': num_channels={num_channels} leaves one value per channel of {num_features} "
                f"features, whose normalization is 0; set norm.num_channels to at most {num_features // 2}"
            )
        self.num_channels = num_channels
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_channels)) if affine else None

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs."""
        channels = inputs.unflatten(1, (self.num_channels, -1))  # (batch, channels, length)
        normed = layer_norm(channels, channels.shape[2:], eps=self.eps)
        if self.weight is not None and self.bias is not None:
            normed = normed * self.weight.unsqueeze(1) + self.bias.unsqueeze(1)
        return normed.flatten(1)
