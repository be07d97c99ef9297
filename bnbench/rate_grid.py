"""The grid of learning rates of the tuned track, and the rates that extend it."""

from collections.abc import Sequence
from typing import Literal

Side = Literal["smallest", "largest"]

DIGITS = 6  # a rate that a ratio gave must not differ in its last bits from the one that somebody writes


def next_rate(rates: Sequence[float], side: Side) -> float:
    """Return the learning rate that continues a grid of at least two on one side, in the ratio it has there.

    Grids such as 1, 3, 10 step by turns, so where there are three rates, the ratio is that between the second and the
    third from the edge.

    >>> next_rate([0.01, 0.1, 1.0], "largest"), next_rate([0.001, 0.003, 0.01], "smallest")
    (10.0, 0.0003)
    >>> next_rate([0.03, 0.1, 0.3], "smallest"), next_rate([0.01, 0.03], "largest")
    (0.01, 0.09)
    """
    ordered = sorted(rates)
    if side == "smallest":
        second, third = ordered[1:3] if len(ordered) > 2 else ordered
        return _rounded(ordered[0] * second / third)
    third, second = ordered[-3:-1] if len(ordered) > 2 else ordered
    return _rounded(ordered[-1] * second / third)


def widened(rates: Sequence[float]) -> list[float]:
    """Return the grid with one more rate on either side.

    >>> widened([0.01, 0.03, 0.1])
    [0.003, 0.01, 0.03, 0.1, 0.3]
    """
    return [next_rate(rates, "smallest"), *sorted(rates), next_rate(rates, "largest")]


def _rounded(rate: float) -> float:
    return float(f"{rate:.{DIGITS}g}")
