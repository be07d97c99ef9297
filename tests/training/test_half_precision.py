"""Products in bfloat16: replica k is still the run of seed k alone, bit for bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bnbench.norms import NORMS

SETTING: dict[str, Any] = {
    "model__hidden": [100, 36],
    "model__dropout": 0.2,
    "optimizer__name": "adam",
    "optimizer__clip_gradient_norm": 0.5,
    "budget__batch_size": 17,
    "task": {"outputs": 10, "features": 20},
}


@pytest.mark.parametrize("norm", NORMS.names())
def test_replica_in_half_precision_is_the_run_of_its_seed_alone(
    train: Callable[..., Any], assert_same: Callable[..., None], norm: str
) -> None:
    together = train(list(range(5)), norm=norm, trainer__precision="bf16", **SETTING)
    for seed in (0, 3):
        assert_same(train([seed], norm=norm, trainer__precision="bf16", **SETTING).numbers(0), together.numbers(seed))


def test_only_training_is_in_half_precision(train: Callable[..., Any]) -> None:
    """Evaluations are those of float32: before training nothing differs, after it little does."""
    half, single = (train([0], norm="batch", trainer__precision=precision, **SETTING) for precision in ("bf16", "32"))
    before, after = (abs(half.rows(0)[place, 2] - single.rows(0)[place, 2]) for place in (0, -1))
    assert before == 0
    assert 1e-6 < after < 0.05
    states = [value for name, value in half.numbers(0).items() if name.startswith("state ")]
    assert {state.dtype for state in states if np.issubdtype(state.dtype, np.floating)} == {np.dtype("float32")}
