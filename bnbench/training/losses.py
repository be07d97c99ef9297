"""What a network is trained on, per replica."""

from collections.abc import Callable

from torch import Tensor

from bnbench.datasets.row_errors import binary, cross_entropy, huber, squared_error

Loss = Callable[[Tensor, Tensor], Tensor]

ROW_LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "binary": binary,
    "mse": squared_error,
    "huber": huber,
}


def row_losses(loss: str) -> Loss:
    """Return the function (..., outputs), labels (...) → loss of every row."""
    return ROW_LOSSES[loss]
