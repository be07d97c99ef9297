"""Right norms fail no check: every registered one, and torch's layers."""

import pytest

from bnbench.conformance import check_norm
from bnbench.norms import NORMS


@pytest.mark.parametrize("target", [*NORMS.names(), "torch.nn:LayerNorm", "torch.nn:RMSNorm", "torch.nn:BatchNorm1d"])
def test_fails_nowhere(target: str) -> None:
    card = check_norm(target, with_costs=False)
    card.raise_for_failures()
    assert card.traits is not None
