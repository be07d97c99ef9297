"""A norm whose inputs, parameters and buffers are all in half precision computes in float32 all the same."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bnbench.norms import NORMS

BuildLayer = Callable[..., nn.Module]
# beside the defaults, with which they are batch norm in the first steps or on small batches
OPTIONS: dict[str, dict[str, Any]] = {
    "batch_renorm": {"warmup_steps": 0, "ramp_steps": 2},
    "ghost_batch": {"ghost_rows": 259},  # rows of a part, a divisor that bfloat16 does not hold
}
# noisy_batch adds its noise to the rounded outputs of batch norm
ROUNDINGS = {"noisy_batch": 2}
# a weight norm makes its products in half precision, as the Linear does which it replaces
COUPLED = [name for name in NORMS.names() if NORMS.get(name).batch_coupled and NORMS.get(name).kind == "activation"]


def far_from_0() -> Tensor:
    """(259, 12) at an offset of 100, where neighbours in bfloat16 are half a unit apart."""
    values = 20 * torch.randn(259, 12, generator=torch.Generator().manual_seed(0)) + 100
    return values.bfloat16()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", COUPLED)
def test_bfloat16_layer_is_off_by_the_rounding_of_its_outputs(
    build_layer: BuildLayer, name: str, training: bool
) -> None:
    """Against float64 on the very same numbers, rounded parameters and buffers included."""
    options, x = OPTIONS.get(name, {}), far_from_0()
    half = build_layer(name, dtype=torch.bfloat16, **options)
    half(x)  # running statistics that are not those of the start
    exact = build_layer(name, **options)
    exact.load_state_dict(half.state_dict())
    outputs, expected = half.train(training)(x), exact.train(training)(x.double())
    assert outputs.dtype == torch.bfloat16
    largest = expected.abs().max().item()
    torch.testing.assert_close(outputs.double(), expected, rtol=2**-8 * ROUNDINGS.get(name, 1), atol=2**-10 * largest)
