"""Axes of a picture: where a value lies, and which values carry a label."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

WANTED_TICKS = 5
MARGIN = 0.04
# of what a float can hold
LEAST_POWER, LARGEST_POWER = -307.0, 308.0


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` to pixels from `start` to `stop`, by their logarithm where `log` is set."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; one beyond the ends lies at the end."""
        low, high, here = (log10(each) if self.log else each for each in (self.low, self.high, self._inside(value)))
        return self.start + (self.stop - self.start) * (here - low) / (high - low)

    def holds(self, value: float) -> bool:
        """Return whether a value lies within the ends."""
        return self.low <= value <= self.high

    def ticks(self) -> list[float]:
        """Return the values to label, ascending.

        >>> Scale(0.0, 1.0, 0, 100).ticks(), Scale(0.002, 3.0, 0, 100, log=True).ticks()
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.01, 0.1, 1.0])
        """
        return _decades(self.low, self.high) if self.log else _round_values(self.low, self.high)

    def _inside(self, value: float) -> float:
        return min(max(value, self.low), self.high)


def scale_of(values: Iterable[float], *, start: float, stop: float, log: bool) -> Scale:
    """Return the scale that shows the values that are numbers, and positive on a logarithmic one, with a margin."""
    shown = [float(value) for value in values if isfinite(value) and (value > 0 or not log)] or [1.0]
    low, high = min(shown), max(shown)
    if log:
        low, high = log10(low), log10(high)
    room = MARGIN * (high - low) or (0.5 if log else max(abs(low), 1.0) / 2)
    low, high = low - room, high + room
    if log:
        return Scale(10 ** max(low, LEAST_POWER), 10 ** min(high, LARGEST_POWER), start, stop, log=True)
    return Scale(low, high, start, stop)


def label(value: float) -> str:
    """Return a value as an axis shows it.

    >>> label(0.25), label(1e-7), label(20000.0), label(1e5), label(-0.0)
    ('0.25', '1e-7', '20,000', '1e5', '0')
    """
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e5:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _round_values(low: float, high: float) -> list[float]:
    rough = (high - low) / WANTED_TICKS
    power = 10.0 ** floor(log10(rough))
    step = power * next(each for each in (1, 2, 5, 10) if each * power >= rough * 0.999)
    return [round(index * step, 12) for index in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    first, last = floor(log10(low)), ceil(log10(high))
    stride = max(1, round((last - first) / (WANTED_TICKS + 2)))
    ones = [10.0**power for power in range(first, last + 1, stride)]
    inside = [each for each in ones if low <= each <= high]
    if len(inside) > 2:
        return inside
    finer = [each * 10.0**power for power in range(first, last + 1) for each in (1, 2, 5)]
    inside = [each for each in finer if low <= each <= high]
    return inside if len(inside) > 1 else [each for each in _round_values(low, high) if each > 0]
