"""What a layer computes in fewer digits than it is given, and what it would compute in as many."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bnbench.conformance.change import relative_change
from bnbench.conformance.passes import outputs_of, restore, tensors_of
from bnbench.conformance.subject import Subject

HALVES = (torch.float16, torch.bfloat16)
# What is cast to float32 and back is off by 3e-8 of the outputs, what is cast to half by 1e-4 and more; sums that are
# only rounded otherwise are off by 1e-16 and 1e-7.
SAME_IN_FLOAT64 = 1e-12
SAME_IN_FLOAT32 = 1e-5


class _Widened(TorchDispatchMode):
    """Every conversion to fewer digits than `dtype` has is to `dtype` instead."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype = dtype

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        asked = given.get("dtype")
        if asked is not None and asked.is_floating_point and asked.itemsize < self.dtype.itemsize:
            given["dtype"] = self.dtype
        return func(*args, **given)


@contextmanager
def widened(dtype: torch.dtype) -> Iterator[None]:
    """Run a norm so that what it casts to fewer digits than `dtype` has is cast to `dtype`.

    A layer in float64 that takes its statistics in float32 so computes the same function in float64: what is left of
    a difference is no rounding.
    """
    with _Widened(dtype):
        yield


@lru_cache(maxsize=8)  # asked for by several checks
def lost_by_casting(subject: Subject, dtype: torch.dtype) -> float:
    """Return how far the outputs of a layer in `dtype` are from those with all that it casts to fewer digits left wide.

    The larger of training and evaluation. What the norm raises passes through.
    """
    return max(_lost(subject.build(dtype=dtype).train(training), subject, dtype) for training in (True, False))


def _lost(layer: nn.Module, subject: Subject, dtype: torch.dtype) -> float:
    inputs = subject.inputs(dtype=dtype)
    start = tensors_of(layer)
    with torch.no_grad():
        narrow: Tensor = outputs_of(layer, inputs)
        restore(layer, start)
        with widened(dtype):
            wide = outputs_of(layer, inputs)
    return relative_change(wide, narrow)


def computes_in_float64(subject: Subject) -> bool:
    """Return whether a layer in float64 runs, and computes in no fewer digits than that."""
    try:
        return lost_by_casting(subject, torch.float64) < SAME_IN_FLOAT64
    except Exception:  # raised by the norm, a stranger's code; that it does so is told by the check of precisions
        return False
