"""Decide whether a network may be stacked: a few steps both ways on throw-away copies."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from bnbench.errors import UserError
from bnbench.training.replicas import Replicas

PROBE_STEPS = 3
# relative to the largest value compared: both ways do the same arithmetic in another order
TOLERANCE = 1e-4


def stacks_correctly(build: Callable[[int], nn.Module], *, inputs: Tensor, name: str) -> bool:
    """Return whether stacked replicas of a network equal single ones over a few training steps.

    Catching errors is not enough: a buffer that is assigned instead of written, or a draw from the global generator,
    can go wrong under `vmap` without one. `build(seed)` makes a network; `inputs` is one batch (B, d). Raises
    UserError when the network fails on its own, stacked or not.
    """
    single = _trajectory(build, inputs, stacked=False, name=name)
    try:
        stacked = _trajectory(build, inputs, stacked=True, name=name)
    except (RuntimeError, ValueError, TypeError) as error:
        _warn(name, f"{type(error).__name__}: {error}".splitlines()[0])
        return False
    difference = max((_relative(one, other) for one, other in zip(single, stacked, strict=True)), default=0.0)
    if difference > TOLERANCE:
        _warn(name, f"stacked and single results differ by {difference:.1e} of their size")
        return False
    return True


def _trajectory(build: Callable[[int], nn.Module], inputs: Tensor, *, stacked: bool, name: str) -> list[Tensor]:
    seeds = (0, 1)
    replicas = Replicas([build(seed) for seed in seeds], stacked=stacked, seeds=seeds)
    replicas.to(dtype=inputs.dtype)
    batch = torch.stack([inputs, inputs.flip(0)])  # (replicas, batch, features)
    results: list[Tensor] = []
    for _ in range(PROBE_STEPS):
        try:
            outputs = replicas(batch)
        except Exception as error:
            if stacked:
                raise
            shape = f"a batch of {tuple(inputs.shape)}"
            raise UserError(
                f"the network with norm '{name}' fails on {shape}: {type(error).__name__}: {error}"
            ) from error
        _check_outputs(outputs, batch, name)
        loss = functional.mse_loss(outputs, torch.ones_like(outputs))
        parameters = list(replicas.parameters_stacked)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.sub_(0.01 * gradient)
        results += [outputs.detach(), *(value.clone() for value in replicas.buffers_stacked)]
    return results


def _check_outputs(outputs: Tensor, batch: Tensor, name: str) -> None:
    if outputs.dim() != 3 or outputs.shape[:2] != batch.shape[:2]:
        raise UserError(
            f"the network with norm '{name}' returned {tuple(outputs.shape[1:])} for a batch of "
            f"{tuple(batch.shape[1:])}, expected (batch, outputs)"
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
