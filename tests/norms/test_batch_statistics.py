"""The one primitive of batch statistics: right, and the only source any batch-coupled norm has."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bnbench.norms import NORMS, BatchStatistics, Shard

COUPLED = [name for name in NORMS.names() if NORMS.get(name).batch_coupled]
# sets of options that take another way through the statistics, beside the defaults
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "batch": [
        {"affine": False, "momentum": None},
        {"subtract_mean": False},
        {"divide_by_deviation": False},
        {"running_statistics": False},
        {"unbiased_running_variance": False},
    ],
    "batch_renorm": [{"warmup_steps": 0, "ramp_steps": 0}],
    "ghost_batch": [{"ghost_rows": rows} for rows in (2, 3, 4)],
    "l1_batch": [{"p": 2.0}, {"p": 3.5}, {"p": None}],
}
CASES = [
    pytest.param(name, options, id="-".join([name, *(f"{key}={value}" for key, value in options.items())]))
    for name in COUPLED
    for options in [{}, *VARIANTS.get(name, [])]
]
SIZES = [(4, 5), (2, 7), (3, 1, 5)]
IDS = ["-".join(map(str, sizes)) for sizes in SIZES]


def test_moments_are_rows_mean_and_biased_variance(rows: Tensor) -> None:
    count, mean, variance = BatchStatistics().moments(rows)
    assert count == 9
    torch.testing.assert_close(mean, rows.mean(0))
    torch.testing.assert_close(variance, rows.var(0, correction=0))


def test_reductions_are_over_rows_whatever_follows_them(rows: Tensor) -> None:
    values = torch.stack([rows, rows**2], dim=2)  # (rows, features, 2)
    statistics = BatchStatistics()
    torch.testing.assert_close(statistics.sum(values), values.sum(0))
    torch.testing.assert_close(statistics.mean(values), values.mean(0))
    torch.testing.assert_close(statistics.maximum(values), values.amax(0))


def test_half_precision_is_summed_in_float32(rows: Tensor) -> None:
    _, mean, variance = BatchStatistics().moments((rows + 100).half())
    assert mean.dtype == variance.dtype == torch.float32
    exact = (rows + 100).half().double()
    torch.testing.assert_close(variance.double(), exact.var(0, correction=0), rtol=1e-4, atol=0)


class Ranks:
    """Threads that stand for ranks: each holds a part of a batch, and a reduction waits for all of them."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self._barrier = Barrier(len(sizes), timeout=20)
        self._held: list[Tensor] = [torch.empty(0)] * len(sizes)

    def shard(self, rank: int) -> Shard:
        return Shard(
            sum(self.sizes),
            sum(self.sizes[:rank]),
            sum=partial(self._reduce, rank, lambda values: values.sum(0)),
            maximum=partial(self._reduce, rank, lambda values: values.amax(0)),
        )

    def _reduce(self, rank: int, reduction: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
        self._held[rank] = value
        self._barrier.wait()
        result = reduction(torch.stack(self._held))
        self._barrier.wait()
        return result

    def run(self, layers: Sequence[nn.Module], inputs: Tensor) -> Tensor:
        """The outputs of all ranks, each on its part of the inputs."""
        for rank, layer in enumerate(layers):
            places = [module for module in layer.modules() if isinstance(module, BatchStatistics)]
            assert places, "batch-coupled, and holds no BatchStatistics"
            for module in places:
                module.shard = self.shard(rank)
        with ThreadPoolExecutor(len(layers)) as pool:
            return torch.cat(list(pool.map(lambda layer, part: layer(part), layers, inputs.split(list(self.sizes)))))


@pytest.mark.parametrize("sizes", SIZES, ids=IDS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_ranks_together_are_one_batch(
    build_layer: Callable[..., nn.Module],
    make_inputs: Callable[..., Tensor],
    name: str,
    options: dict[str, Any],
    sizes: tuple[int, ...],
) -> None:
    """Outputs, gradients and state over two steps; another way to the statistics would give a part its own."""
    whole, parts = build_layer(name, **options), [build_layer(name, **options) for _ in sizes]
    for step in (1, 2):
        x = make_inputs(7 if NORMS.get(name).kind == "weight" else 12) * step
        mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        expected, outputs = whole(theirs), Ranks(sizes).run(parts, mine)
        torch.testing.assert_close(outputs, expected, rtol=1e-10, atol=1e-11)
        outputs.sin().sum().backward()
        expected.sin().sum().backward()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-10)
    for part in parts:
        for (key, own), (_, all_of_it) in zip(part.named_buffers(), whole.named_buffers(), strict=True):
            torch.testing.assert_close(own, all_of_it, rtol=1e-10, atol=1e-11, msg=key)
    for key, parameter in whole.named_parameters():
        shares = [part.get_parameter(key).grad for part in parts]
        torch.testing.assert_close(torch.stack(shares).sum(0), parameter.grad, rtol=1e-9, atol=1e-10, msg=key)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_one_rank_is_as_good_as_none(
    build_layer: Callable[..., nn.Module], rows: Tensor, name: str, options: dict[str, Any]
) -> None:
    """The way through the primitive and the shortcut without other ranks are the same function."""
    x = rows if NORMS.get(name).kind == "activation" else rows[:, :7]
    shortcut, primitive = build_layer(name, **options), build_layer(name, **options)
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    results = []
    for outputs, inputs, layer in (
        (shortcut(mine), mine, shortcut),
        (Ranks([len(x)]).run([primitive], theirs), theirs, primitive),
    ):
        outputs.sin().sum().backward()
        results.append([outputs, inputs.grad, *(parameter.grad for parameter in layer.parameters()), *layer.buffers()])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_shards_stack(
    build_layer: Callable[..., nn.Module], make_inputs: Callable[..., Tensor], name: str, options: dict[str, Any]
) -> None:
    layer, x = build_layer(name, **options), make_inputs(7 if NORMS.get(name).kind == "weight" else 12)
    for module in layer.modules():
        if isinstance(module, BatchStatistics):
            module.shard = Shard(18, 3, sum=lambda sums: 2 * sums, maximum=lambda largest: largest + 1)
    state = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    stacked = {
        key: torch.stack([value.detach(), value.detach() + (0.5 if value.is_floating_point() else 1)])
        for key, value in state.items()
    }

    def run(state: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(layer, state, (x,))

    singles = [run({key: value[replica].clone() for key, value in stacked.items()}) for replica in (0, 1)]
    torch.testing.assert_close(torch.vmap(run)(stacked), torch.stack(singles))
