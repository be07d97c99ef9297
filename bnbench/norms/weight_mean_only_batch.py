"""Weight normalization followed by mean-only batch normalization."""

from jaxtyping import Float
from torch import Tensor, nn

from bnbench.norms.batch import Batch
from bnbench.norms.checks import require_share
from bnbench.norms.registration import norm
from bnbench.norms.statistics import require_two_rows
from bnbench.norms.weight import Weight


@norm("weight_mean_only_batch", kind="weight", batch_coupled=True)
class WeightMeanOnlyBatch(nn.Module):
    """Reparametrise every row of the weights as length times direction and take the batch's mean from the products.

    Weight norm fixes the scale of the outputs, the mean over the batch their place. Starts at the weights of the Linear
    it replaces.

    Formula: y = t − mean(t) + b, with t = x Wᵀ of rows w = g v / ‖v‖ and its mean over the batch
    Shapes: (batch, inputs) → (batch, outputs)
    Parameters: v (outputs, inputs), g (outputs,), b (outputs,)
    State: running mean (outputs,), r ← (1 − momentum) r + momentum · mean, used in evaluation; with `momentum=null` the
        average over all steps
    Raises: UserError for a momentum outside [0, 1]; ValueError on a training batch of one row, whose output would be b
    Source: Salimans and Kingma 2016 (arXiv:1602.07868)
    """

    def __init__(self, linear: nn.Linear, *, momentum: float | None = 0.1) -> None:
        super().__init__()
        if momentum is not None:
            require_share("weight_mean_only_batch", "momentum", momentum)
        # b comes after the mean, which would take it away
        self.product = Weight(_without_bias(linear))
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone())
        self.centre = Batch(linear.out_features, momentum=momentum, affine=False, divide_by_deviation=False)

    def forward(self, inputs: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return inputs · wᵀ less its mean over the batch, plus bias."""
        if self.training:
            require_two_rows("weight norm with mean-only batch norm", self.centre.statistics.rows(inputs))
        centred = self.centre(self.product(inputs))
        return centred if self.bias is None else centred + self.bias


def _without_bias(linear: nn.Linear) -> nn.Linear:
    other = nn.Linear(linear.in_features, linear.out_features, bias=False, device="meta")
    other.weight = linear.weight
    return other
