"""The bits of a norm do not depend on the stack, whatever way its inputs and gradients lie in memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bnbench.norms import NORMS
from bnbench.seeding import one_thread

REPLICAS = 9
# sets of options that take another way through a norm, beside the defaults
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "batch": [
        {"affine": False},
        {"momentum": None},
        {"subtract_mean": False},
        {"divide_by_deviation": False, "affine": False},
        {"running_statistics": False},
        {"unbiased_running_variance": False},
    ],
    "batch_renorm": [{"warmup_steps": 0, "ramp_steps": 2}],
    "ghost_batch": [{"ghost_rows": rows} for rows in (2, 4, 6)],
    "l1_batch": [{"p": 2.0}, {"p": 3.5}, {"p": None}],
}
CASES = [
    pytest.param(name, options, id="-".join([name, *(f"{key}={value}" for key, value in options.items())]))
    for name in NORMS.names()
    for options in [{}, *VARIANTS.get(name, [])]
]
LAYOUTS = ("rows together", "features together")


def stack_of(layout: str, rows: int, features: int, *, seed: int, dtype: torch.dtype) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    if layout == "rows together":
        return torch.randn(REPLICAS, rows, features, generator=stream, dtype=dtype)
    return torch.randn(REPLICAS, features, rows, generator=stream, dtype=dtype).transpose(1, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gradient_layout", LAYOUTS)
@pytest.mark.parametrize("input_layout", LAYOUTS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_bits_are_those_of_a_stack_of_one(
    build_layer: Callable[..., nn.Module],
    name: str,
    options: dict[str, Any],
    input_layout: str,
    gradient_layout: str,
    dtype: torch.dtype,
) -> None:
    features = 36
    layer = build_layer(name, features, dtype=dtype, **options)
    num_inputs = 7 if NORMS.get(name).kind == "weight" else features
    inputs = stack_of(input_layout, 13, num_inputs, seed=0, dtype=dtype)
    gradient = stack_of(gradient_layout, 13, features, seed=1, dtype=dtype)
    state = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}

    def results(part: slice) -> list[Tensor]:
        replicas = inputs[part].clone()
        stacked = {key: torch.stack([value.detach()] * len(replicas)) for key, value in state.items()}
        leaves = [replicas.requires_grad_(), *(stacked[key].requires_grad_() for key, _ in layer.named_parameters())]
        outputs = torch.vmap(lambda state, x: torch.func.functional_call(layer, state, (x,)))(stacked, replicas)
        found = torch.autograd.grad(outputs, leaves, gradient[part].clone())
        return [outputs.detach(), *found, *(stacked[key] for key, _ in layer.named_buffers())]

    with one_thread():
        whole = results(slice(0, REPLICAS))
        for part in (slice(0, 1), slice(8, 9), slice(3, 5), slice(1, 8)):
            for one, other in zip(whole, results(part), strict=True):
                assert torch.equal(one[part], other)
