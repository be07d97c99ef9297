"""Stacked optimizers equal torch's on single replicas; clipping is per replica; what mixes entries is refused."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.training.optimizers import OPTIMIZERS, StackedOptimizer, check_optimizer, clip_gradients

# no size but the first fills a vector register; the last parameter of a replica is a single number
SHAPES = ((16, 4), (13, 7), (13,), (5,), (1, 1), ())
# a matrix may be told not to decay, and a vector to
DECAYS = (True, False, True, False, True, False)
RATES = (0.01, 0.01, 0.2)
BASE = {
    "weight_decay": 0.1,
    "momentum": 0.8,
    "nesterov": False,
    "betas": [0.8, 0.99],
    "eps": 1e-6,
    "clip_gradient_norm": None,
}


def stacks(dtype: torch.dtype = torch.float64) -> list[nn.Parameter]:
    stream = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(3, *shape, generator=stream, dtype=dtype)) for shape in SHAPES]


def gradients(step: int) -> list[Tensor]:
    stream = torch.Generator().manual_seed(100 + step)
    return [torch.randn(3, *shape, generator=stream, dtype=torch.float64) for shape in SHAPES]


def take_step(optimizer: StackedOptimizer, values: list[Tensor]) -> None:
    for stack, gradient in zip(optimizer.stacks, values, strict=True):
        stack.grad = gradient.clone()
    optimizer.take_gradients()
    optimizer.torch.step()
    optimizer.clear_gradients()


def single_optimizer(parameters: list[nn.Parameter], options: dict[str, Any], rate: float) -> torch.optim.Optimizer:
    weights = [parameter for parameter, decays in zip(parameters, DECAYS, strict=True) if decays]
    others = [parameter for parameter, decays in zip(parameters, DECAYS, strict=True) if not decays]
    groups = [{"params": weights, "weight_decay": options["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    if options["name"] in ("sgd", "momentum"):
        momentum = options["momentum"] if options["name"] == "momentum" else 0.0
        nesterov = options["nesterov"] and momentum > 0
        return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=nesterov, foreach=False)
    family = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options["name"]]
    return family(groups, lr=rate, betas=tuple(options["betas"]), eps=options["eps"], foreach=False)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stacked_steps_equal_torchs_steps_on_each_replica(name: str, nesterov: bool) -> None:
    options = {**BASE, "name": name, "nesterov": nesterov}
    together = StackedOptimizer(stacks(), options, RATES, decays=DECAYS)
    alone = [[nn.Parameter(stack.detach()[replica].clone()) for stack in stacks()] for replica in range(3)]
    singles = [single_optimizer(parameters, options, rate) for parameters, rate in zip(alone, RATES, strict=True)]
    for step in range(5):
        take_step(together, gradients(step))
        for replica, single in enumerate(singles):
            for parameter, gradient in zip(alone[replica], gradients(step), strict=True):
                parameter.grad = gradient[replica].clone()
            single.step()
    for replica, parameters in enumerate(alone):
        for stack, parameter in zip(together.stacks, parameters, strict=True):
            torch.testing.assert_close(stack[replica], parameter, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("kept", [[0, 2], [2], [0, 1], [1]])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_follows_the_replicas_that_stay(name: str, kept: list[int]) -> None:
    options = {**BASE, "name": name}
    whole, part = (StackedOptimizer(stacks(), options, RATES, decays=DECAYS) for _ in range(2))
    for step in range(3):
        take_step(whole, gradients(step))
        take_step(part, gradients(step))
    chosen = torch.tensor(kept)
    for stack in part.stacks:
        stack.data = stack.data[chosen]
    part.keep(chosen)
    for step in range(3, 6):
        take_step(whole, gradients(step))
        take_step(part, [gradient[chosen] for gradient in gradients(step)])
    for one, other in zip(whole.stacks, part.stacks, strict=True):
        assert torch.equal(one[chosen], other)


def test_only_what_is_told_to_decays() -> None:
    optimizer = StackedOptimizer(stacks(), {**BASE, "name": "sgd"}, RATES, decays=DECAYS)
    take_step(optimizer, [torch.zeros_like(stack) for stack in optimizer.stacks])
    for before, after, decays in zip(stacks(), optimizer.stacks, DECAYS, strict=True):
        factor = 1 - torch.tensor(RATES, dtype=torch.float64).view(-1, *[1] * (before.dim() - 1)) * 0.1
        torch.testing.assert_close(after, before * factor if decays else before)


def test_parameter_without_gradient_stays() -> None:
    optimizer = StackedOptimizer(stacks(), {**BASE, "name": "sgd", "weight_decay": 0.0}, RATES, decays=DECAYS)
    optimizer.stacks[1].grad = torch.ones_like(optimizer.stacks[1])
    optimizer.take_gradients()
    optimizer.torch.step()
    unchanged = [torch.equal(one, other) for one, other in zip(stacks(), optimizer.stacks, strict=True)]
    assert unchanged == [True, False, True, True, True, True]


def test_gradient_of_each_replica_is_clipped_by_its_own_norm() -> None:
    together = stacks()
    scale = (1e-3, 1.0, float("nan"))
    for stack, gradient in zip(together, gradients(0), strict=True):
        stack.grad = torch.stack([part * factor for part, factor in zip(gradient, scale, strict=True)])
    clip_gradients(together, 0.5)
    for replica in (0, 1):
        single = [nn.Parameter(stack.detach()[replica].clone()) for stack in stacks()]
        for parameter, gradient in zip(single, gradients(0), strict=True):
            parameter.grad = gradient[replica] * scale[replica]
        torch.nn.utils.clip_grad_norm_(single, 0.5)
        for stack, parameter in zip(together, single, strict=True):
            assert stack.grad is not None
            torch.testing.assert_close(stack.grad[replica], parameter.grad)


@pytest.mark.parametrize("name", ["lbfgs", "muon", "lars", "adma"])
def test_optimizer_that_is_unknown_or_mixes_entries_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"optimizer '{name}' is unknown or mixes"):
        check_optimizer(name)
