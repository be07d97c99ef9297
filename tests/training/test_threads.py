"""Never more threads than replicas: a product that several threads share rounds by their number."""

import pytest
import torch
from torch import nn

from bnbench.training.replicas import Replicas
from bnbench.training.threads import use_threads


@pytest.mark.parametrize(
    ("requested", "replicas", "stacked", "expected"),
    [(1, 1, True, 1), (2, 1, True, 1), (2, 2, True, 2), (2, 5, True, 2), (4, 3, True, 3), (4, 3, False, 1)],
)
def test_threads_are_at_most_the_replicas(requested: int, replicas: int, stacked: bool, expected: int) -> None:
    before = torch.get_num_threads()
    try:
        use_threads(
            requested, Replicas([nn.Linear(2, 2) for _ in range(replicas)], stacked=stacked, seeds=range(replicas))
        )
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
