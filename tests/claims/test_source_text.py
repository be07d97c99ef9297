"""What the claims of the source text say of the rates that they chose."""

from types import SimpleNamespace
from typing import cast

import pytest

from bnbench.claims.source_text import Workload, rate_in_words


@pytest.mark.parametrize(
    ("rate", "told"), [(0.003, "0.003 (the smallest tried)"), (0.1, "0.1"), (3.0, "3 (the largest tried)")]
)
def test_a_rate_at_the_end_of_the_grid_is_told_as_such(rate: float, told: str) -> None:
    workload = cast("Workload", SimpleNamespace(rates=(0.003, 0.1, 3.0)))
    assert rate_in_words(workload, rate) == told
