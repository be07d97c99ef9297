"""How far two results are from each other."""

import torch
from jaxtyping import Shaped
from torch import Tensor


def relative_change(one: Shaped[Tensor, "..."], other: Shaped[Tensor, "..."]) -> float:
    """Return the root mean square of the difference over that of `one`; infinite where only one of them is finite.

    >>> relative_change(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.5])).__round__(3)
    0.1
    >>> relative_change(torch.zeros(2), torch.zeros(2))
    0.0
    """
    one, other = one.detach().double(), other.detach().double()
    if one.shape != other.shape or not torch.equal(torch.isfinite(one), torch.isfinite(other)):
        return float("inf")
    one, other = (value[torch.isfinite(value)] for value in (one, other))
    difference = (one - other).norm().item()
    return difference / max(one.norm().item(), torch.finfo(torch.float32).tiny) if difference else 0.0
