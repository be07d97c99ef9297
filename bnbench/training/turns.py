"""Timing in turns: A B C, B A C, …, so that whatever slows the machine for a while slows all of them."""

import random
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import torch

Key = TypeVar("Key", bound=Hashable)
Work = Callable[[], None]
Clock = Callable[[], float]


def seconds_in_turns(
    works: Mapping[Key, Work], *, rounds: int, repeats: Mapping[Key, int] | int, clock: Clock = time.process_time
) -> dict[Key, list[float]]:
    """Return what one call of each takes in every round; a turn is `repeats` calls, one after another.

    A turn suffers from what the one before it left in the caches (by 5 to 10 % here, after a large network). So one
    more call before each turn is not counted, and every round has another order: the same for the same keys. The clock
    is that of the processor unless told otherwise: a busy machine stretches the one on the wall.
    """
    orders = random.Random(0)
    taken: dict[Key, list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key in orders.sample(list(works), len(works)):
            work, count = works[key], repeats if isinstance(repeats, int) else repeats[key]
            work()
            start = clock()
            for _ in range(count):
                work()
            taken[key].append((clock() - start) / count)
    return taken


def ratios(own: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Return, round by round, what one takes beside the other."""
    return [one / other for one, other in zip(own, reference, strict=True)]


def clock_of(device: torch.device) -> Clock:
    """Return processor time on a CPU; on a GPU the wall clock, read once its queue is empty."""
    if device.type != "cuda":
        return time.process_time

    def read() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return read
