"""The one primitive of batch statistics: right, and the only source any batch-coupled norm has."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bnbench.norms import NORMS, BatchMoments, Moments

COUPLED = [name for name in NORMS.names() if NORMS.get(name).batch_coupled]


def test_moments_are_rows_mean_and_biased_variance(rows: Tensor) -> None:
    count, mean, variance = BatchMoments()(rows)
    assert count == 9
    torch.testing.assert_close(mean, rows.mean(0))
    torch.testing.assert_close(variance, rows.var(0, correction=0))


def test_half_precision_is_summed_in_float32(rows: Tensor) -> None:
    _, mean, variance = BatchMoments()((rows + 100).half())
    assert mean.dtype == variance.dtype == torch.float32
    exact = (rows + 100).half().double()
    torch.testing.assert_close(variance.double(), exact.var(0, correction=0), rtol=1e-4, atol=0)


def merged_with(others: Callable[[], Moments]) -> Callable[[Moments], Moments]:
    """Merge with the moments of other rows: what an all-reduce over ranks amounts to."""

    def combine(local: Moments) -> Moments:
        other = others()
        count = local.rows + other.rows
        mean = (local.rows * local.mean + other.rows * other.mean) / count
        square = sum(part.rows * (part.variance + (part.mean - mean) ** 2) for part in (local, other))
        return Moments(count, mean, square / count)

    return combine


@pytest.mark.parametrize("name", COUPLED)
def test_combine_makes_a_part_of_a_batch_see_the_whole(
    build_layer: Callable[..., nn.Module], rows: Tensor, name: str
) -> None:
    """A norm with any other way to its statistics would give the part's own."""
    here, there = rows[:4], rows[4:]
    whole, part = build_layer(name), build_layer(name)
    places = [module for module in part.modules() if isinstance(module, BatchMoments)]
    assert places, f"{name} is batch-coupled and holds no BatchMoments"
    for module in places:
        module.combine = merged_with(lambda: BatchMoments()(there))
    expected = whole(rows)[:4]
    torch.testing.assert_close(part(here), expected, rtol=1e-12, atol=1e-12)
    for (key, mine), (_, theirs) in zip(part.named_buffers(), whole.named_buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12, msg=key)


@pytest.mark.parametrize("name", COUPLED)
def test_combine_that_changes_nothing_changes_nothing(
    build_layer: Callable[..., nn.Module], rows: Tensor, name: str
) -> None:
    """The way through the primitive and the shortcut without other ranks are the same function."""
    shortcut, primitive = build_layer(name), build_layer(name)
    for module in primitive.modules():
        if isinstance(module, BatchMoments):
            module.combine = lambda moments: moments
    results = []
    for layer in (shortcut, primitive):
        x = rows.clone().requires_grad_()
        outputs = layer(x)
        outputs.sin().sum().backward()
        results.append([outputs, x.grad, *(parameter.grad for parameter in layer.parameters()), *layer.buffers()])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", COUPLED)
def test_combine_works_in_a_stack_of_replicas(build_layer: Callable[..., nn.Module], rows: Tensor, name: str) -> None:
    layer = build_layer(name)
    for module in layer.modules():
        if isinstance(module, BatchMoments):
            module.combine = merged_with(lambda: Moments(3, torch.zeros(12).double(), torch.ones(12).double()))
    state = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    stacked = {key: torch.stack([value.detach(), value.detach() + 0.5]) for key, value in state.items()}

    def run(state: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(layer, state, (rows,))

    singles = [run({key: value[replica].clone() for key, value in stacked.items()}) for replica in (0, 1)]
    torch.testing.assert_close(torch.vmap(run)(stacked), torch.stack(singles))
