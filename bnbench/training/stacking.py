"""Decide whether a network may be stacked: a few steps both ways on throw-away copies."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.training.replicas import Replicas

PROBE_STEPS = 3
# relative to the largest value compared: both ways do the same arithmetic in another order
TOLERANCE = 1e-4


@dataclass(frozen=True)
class StackComparison:
    """How a stack of two replicas compares with the two run one after another.

    `error` is what `vmap` raised, if it did; else `difference` is relative to the largest value compared.
    """

    error: str | None
    difference: float


def stacks_correctly(build: Callable[[int], nn.Module], *, inputs: Tensor, name: str) -> bool:
    """Return whether stacked replicas of a network equal single ones over a few training steps and an evaluation.

    One warning says why not. Arguments and errors are those of `compare_stacked`.
    """
    comparison = compare_stacked(build, inputs=inputs, name=name)
    if comparison.error is not None:
        _warn(name, comparison.error)
        return False
    if comparison.difference > TOLERANCE:
        _warn(name, f"stacked and single results differ by {comparison.difference:.1e} of their size")
        return False
    return True


def compare_stacked(build: Callable[[int], nn.Module], *, inputs: Tensor, name: str) -> StackComparison:
    """Return how stacked replicas of a network compare with single ones.

    Catching errors is not enough: a draw from the global generator can go wrong under `vmap` without one.
    `build(seed)` makes a network; `inputs` is one batch (B, d). Raises UserError when the network fails on its own,
    stacked or not, or when a replica's results depend on its company even if they run one after another.
    """
    single = _trajectory(build, inputs, stacked=False, name=name, seeds=(0, 1))
    alone = _trajectory(build, inputs, stacked=False, name=name, seeds=(0,))
    if any(_relative(one[:1], other) > 0 for one, other in zip(single, alone, strict=True)):
        raise UserError(
            f"the network with norm '{name}' gives other results when a second replica runs beside it: it keeps state "
            "outside registered buffers, or draws from a generator that is not torch's"
        )
    try:
        stacked = _trajectory(build, inputs, stacked=True, name=name, seeds=(0, 1))
    except (RuntimeError, ValueError, TypeError) as error:
        return StackComparison(f"{type(error).__name__}: {error}".splitlines()[0], float("inf"))
    return StackComparison(None, max(map(_relative, single, stacked), default=0.0))


def difference_by_company(build: Callable[[int], nn.Module], *, inputs: Tensor, name: str) -> float:
    """Return by how much a replica of a stack differs from the same one in a stack of its own: 0 for bit for bit.

    Relative to the largest value compared. Only for networks that `vmap` takes.
    """
    together = _trajectory(build, inputs, stacked=True, name=name, seeds=(0, 1))
    alone = _trajectory(build, inputs, stacked=True, name=name, seeds=(0,))
    return max((_relative(one[:1], other) for one, other in zip(together, alone, strict=True)), default=0.0)


def _trajectory(
    build: Callable[[int], nn.Module], inputs: Tensor, *, stacked: bool, name: str, seeds: tuple[int, ...]
) -> list[Tensor]:
    """Return outputs and buffers of every step and of an evaluation, each with the replicas in front."""
    replicas = Replicas([build(seed) for seed in seeds], stacked=stacked, seeds=seeds)
    replicas.to(dtype=inputs.dtype)
    batch = torch.stack([inputs, inputs.flip(0)][: len(seeds)])  # (replicas, batch, features)
    results: list[Tensor] = []
    for _ in range(PROBE_STEPS):
        outputs = _outputs(replicas, batch, name)
        loss = (outputs - 1).square().mean((1, 2)).sum()
        parameters = replicas.trained
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.sub_(0.01 * gradient)
        results += [outputs.detach(), *(value.clone() for value in replicas.buffers_stacked)]
    replicas.eval()
    with torch.no_grad():
        results.append(_outputs(replicas, inputs, name))
    return results


def _outputs(replicas: Replicas, batch: Tensor, name: str) -> Tensor:
    try:
        outputs = replicas(batch)
    except Exception as error:
        if replicas.stacked:
            raise
        shape = f"a batch of {tuple(batch.shape[-2:])}"
        raise UserError(f"the network with norm '{name}' fails on {shape}: {type(error).__name__}: {error}") from error
    _check_outputs(outputs, batch, replicas.count, name)
    return outputs


def _check_outputs(outputs: Tensor, batch: Tensor, count: int, name: str) -> None:
    if outputs.dim() != 3 or outputs.shape[:2] != (count, batch.shape[-2]):
        raise UserError(
            f"the network with norm '{name}' returned {tuple(outputs.shape[1:])} for a batch of "
            f"{tuple(batch.shape[-2:])}, expected (batch, outputs)"
        )


def _relative(one: Tensor, other: Tensor) -> float:
    if not one.is_floating_point():
        return float(not torch.equal(one, other))
    if not torch.equal(torch.isfinite(one), torch.isfinite(other)):
        return float("inf")
    one, other = torch.nan_to_num(one), torch.nan_to_num(other)
    scale = max(one.abs().max().item(), 1e-3) if one.numel() else 1.0
    return ((one - other).abs().max().item() if one.numel() else 0.0) / scale


def _warn(name: str, reason: str) -> None:
    warnings.warn(f"norm '{name}' is trained one replica after another: {reason}", stacklevel=3)
