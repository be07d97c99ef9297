"""Intervals drawn beside their numbers: where a mark and its whiskers lie on the scale of a table's column."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bnbench.scoring.board import Estimate
from bnbench.scoring.speedup import Bound

WIDTH, HEIGHT, MARGIN = 132, 18, 9
RATIO_TICKS = (0.01, 0.1, 0.25, 0.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 1.5, 3.0, 1.25, 0.8, 1.1, 0.9)
"""Those that come first are written first, as long as there is room."""
CLOSEST_TICKS = 26.0


@dataclass(frozen=True)
class Scale:
    """What a column's numbers span; `logarithmic` for ratios, which then have a line at 1."""

    low: float
    high: float
    logarithmic: bool

    def at(self, value: float) -> float:
        """Return where a value lies, in the drawing's units, never outside it."""
        low, high, place = (math.log(number) if self.logarithmic else number for number in (self.low, self.high, value))
        share = (place - low) / (high - low) if high > low else 0.5
        return round(MARGIN + min(1.0, max(0.0, share)) * (WIDTH - 2 * MARGIN), 1)


@dataclass(frozen=True)
class Mark:
    """A drawn interval: places of the estimate and its ends, the path of an arrow where it is a bound."""

    x: float
    low: float | None
    high: float | None
    arrow: str
    hollow: bool
    one: float | None
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Tick:
    """A number on a column's scale."""

    x: float
    text: str
    anchor: str = "middle"


def ratio_scale(values: Iterable[float | None]) -> Scale:
    """Return a logarithmic scale on which 1 always lies; what is not a positive number does not count."""
    known = [value for value in values if value is not None and 0 < value < math.inf]
    return Scale(min([*known, 1.0]), max([*known, 1.0]), logarithmic=True)


def linear_scale(values: Iterable[float | None]) -> Scale:
    """Return a scale from the smallest to the largest of the values."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return Scale(min(known, default=0.0), max(known, default=1.0), logarithmic=False)


def mark(estimate: Estimate, scale: Scale, *, bound: Bound = "exact") -> Mark | None:
    """Return the drawing of an estimate, None where there is nothing to draw or no place for it on the scale."""
    drawn = (estimate.mean, estimate.low, estimate.high)
    if estimate.mean is None or (scale.logarithmic and any(value is not None and value <= 0 for value in drawn)):
        return None
    low, high = (None if end is None else scale.at(end) for end in (estimate.low, estimate.high))
    x = scale.at(estimate.mean)
    return Mark(
        x=x,
        low=low,
        high=high,
        arrow=_arrow(bound, x if low is None else low, x if high is None else high),
        hollow=bound == "undefined",
        one=scale.at(1.0) if scale.logarithmic else None,
    )


def ratio_ticks(scale: Scale) -> list[Tick]:
    """Return the ratios written above a column, 1× first among them, none so close that they touch."""
    ticks = [Tick(scale.at(1.0), "1×")]
    for ratio in RATIO_TICKS:
        place = scale.at(ratio)
        if scale.low <= ratio <= scale.high and all(abs(place - tick.x) >= CLOSEST_TICKS for tick in ticks):
            ticks.append(Tick(place, f"{ratio:g}×"))
    return ticks


def end_ticks(scale: Scale, told: Callable[[float], str]) -> list[Tick]:
    """Return the two ends of a linear scale, as `told` writes them; none where there is only one value."""
    if scale.high <= scale.low:
        return []
    return [Tick(scale.at(scale.low), told(scale.low), "start"), Tick(scale.at(scale.high), told(scale.high), "end")]


def _arrow(bound: Bound, low: float, high: float) -> str:
    """The truth lies further in the arrow's direction."""
    middle = HEIGHT / 2
    if bound == "at_least":
        return f"M{high + 1:g} {middle - 4:g}l5 4l-5 4"
    if bound == "at_most":
        return f"M{low - 1:g} {middle - 4:g}l-5 4l5 4"
    return ""
