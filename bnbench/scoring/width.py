"""How wide the learning rates reach at which an entry meets the target."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2


@dataclass(frozen=True)
class Width:
    """`octaves` between the rates, None where none serves; open where the grid ends before they stop serving."""

    octaves: float | None
    open_below: bool
    open_above: bool


def width_of(rates: Sequence[float], serving: Sequence[bool]) -> Width:
    """Return log2(largest ÷ smallest) of the widest run of neighbouring `rates` that are all `serving`.

    `rates` are positive and ascend. A run that ends at the first or last rate might go on where nothing was tried.

    >>> width_of([0.01, 0.02, 0.04, 0.08], [False, True, True, True])
    Width(octaves=2.0, open_below=False, open_above=True)
    """
    runs: list[list[int]] = []
    for index, serves in enumerate(serving):
        if serves and runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        elif serves:
            runs.append([index])
    if not runs:
        return Width(None, False, False)
    widest = max(runs, key=lambda run: rates[run[-1]] / rates[run[0]])
    octaves = log2(rates[widest[-1]] / rates[widest[0]])
    return Width(octaves, widest[0] == 0, widest[-1] == len(rates) - 1)
