"""Instance normalization on features read as channels."""

from jaxtyping import Float
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.norms.divisors import require_divisor
from bnbench.norms.registration import norm


@norm("instance")
class Instance(nn.Module):
    """Normalize each channel of each row, the features being read as (channels, length).

    Torch's `InstanceNorm1d` on the (batch, channels, length) view. Given (batch, features) as it is, that layer takes
    the batch for channels without a word; the view and a stated number of channels rule this out.

    Shapes: (batch, features) → (batch, features), features = num_channels · length. Parameters with `affine`: one γ
    and one β per channel. No state. Raises UserError when the channels do not divide the features or leave a length
    of 1, where the output would be 0. Source: Ulyanov, Vedaldi and Lempitsky 2016 (arXiv:1607.08022).
    """

    def __init__(self, num_features: int, *, num_channels: int = 2, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        require_divisor("instance", "num_channels", num_channels, num_features)
        if num_features // num_channels < 2:
            raise UserError(
                f"norm 'instance': num_channels={num_channels} leaves one value per channel of {num_features} "
                f"features, whose normalization is 0; set norm.num_channels to at most {num_features // 2}"
            )
        self.num_channels = num_channels
        self.norm = nn.InstanceNorm1d(num_channels, eps=eps, affine=affine)

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return the normalized inputs."""
        channels = inputs.unflatten(1, (self.num_channels, -1))  # (batch, channels, length)
        return self.norm(channels).flatten(1)
