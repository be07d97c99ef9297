"""Numbers in order, and their percentiles."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

PERCENTILES = (0.15, 0.50, 0.85)
"""Those of Ioffe and Szegedy 2015 (arXiv:1502.03167), figure 1 b and c, as shares."""


def ascending(values: Float[Tensor, "... numbers"]) -> Float[Tensor, "... numbers"]:
    """Return the numbers of the last dimension in ascending order; NaN comes last.

    On a CPU by NumPy, which sorts by vector instructions: 25 times as fast as torch where this was measured.
    """
    if values.device.type != "cpu":
        return values.sort(dim=-1).values
    return torch.from_numpy(np.sort(values.detach().numpy(), axis=-1))


def percentiles(ordered: Float[Tensor, "... numbers"], shares: Sequence[float]) -> Float[Tensor, "... shares"]:
    """Return percentiles of numbers in ascending order, in float64, linear between the two numbers next to them."""
    # not torch.quantile, which refuses more than 16 million numbers
    positions = torch.tensor(shares, dtype=torch.float64, device=ordered.device) * (ordered.shape[-1] - 1)
    below, above = positions.floor().long(), positions.ceil().long()
    return torch.lerp(ordered[..., below].double(), ordered[..., above].double(), positions - below)
