"""What a claim is: what was said and where, how it is measured here, and which numbers would bear it out.

A file of `bnbench/claims/catalogue/` holds one `CLAIM = Claim(...)` and is named as its id. Importing it must be cheap:
torch is fine, what trains (lightning) is not; `setting.train` runs training in a process of its own.

>>> part = Part("steps", statement="half as many steps", unit="×", holds=Region(low=2.0), direction=Region(low=1.0))
>>> part.holds.encloses(2.5, 3.0), part.holds.encloses(1.5, 3.0), part.holds.excludes(1.2, 1.8)
(True, False, True)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from numpy.typing import NDArray

from bnbench.records import Record
from bnbench.scoring.intervals import Interval

Size = Literal["miniature", "quick", "full"]
SIZES: tuple[Size, ...] = ("miniature", "quick", "full")
Scope = Literal["exact", "transfer"]
Judged = Literal["mean", "geometric mean", "every"]
NONE_PUBLISHED = "none published"
CLAIM_ID = re.compile(r"[A-Z]\d+[a-z]?_[a-z0-9_]+")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Region:
    """A range of values, its ends included; an end that is left out is open."""

    low: float = -inf
    high: float = inf

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"a region from {self.low} to {self.high} holds no value")

    def encloses(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies inside."""
        return self.low <= low and high <= self.high

    def excludes(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies outside."""
        return high < self.low or low > self.high


@dataclass(frozen=True)
class Part:
    """One measurable piece of a claim: a claim that is made of several data sets or norms has a part for each.

    `holds` is where its value bears the statement out, `direction` where at least the direction is right. `judged` says
    how the interval comes from the values of paired seeds: "mean" is Student's t, "geometric mean" the same of the
    logarithms (for ratios, which are given as ratios), "every" the smallest and the largest value (for identities, and
    where every seed must comply). `group` names what the parts are counted by in the sentence ("batch" on five data
    sets).
    """

    name: str
    _: KW_ONLY
    statement: str
    holds: Region
    direction: Region | None = None
    unit: str = ""
    judged: Judged = "mean"
    group: str = ""


Numbers = NDArray[Any] | Sequence[float]
Values = Numbers | Interval
"""Of one part: a value per seed (n,), or an interval of its own, in which None is an open end."""


@dataclass(frozen=True)
class Curve:
    """One curve of a figure: points (n,), and where they are known the ends of their intervals."""

    name: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    dashed: bool = False


@dataclass(frozen=True)
class Figure:
    """Curves over common axes; `points` draws marks that no line joins."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    log_y: bool = False
    points: bool = False


@dataclass(frozen=True)
class Measured:
    """What a measurement gave: the values of every part by its name, and what the figure and the control need.

    `remarks` are sentences on what else was seen, secondary statistics among them: they decide nothing.
    """

    values: Mapping[str, Values]
    series: Mapping[str, Numbers] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class Train(Protocol):
    """Trains an experiment and returns its records."""

    def __call__(self, experiment: str, *overrides: str, seeds: Sequence[int] | None = None) -> list[Record]:
        """Run `python -m bnbench.train +experiment=EXPERIMENT OVERRIDES -m` and return what it asked for.

        The seeds are those of the setting unless given. What is recorded already is not trained again; other overrides
        have a folder of their own, so that the records are those of this call alone. Raises UserError where a run
        fails.
        """


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a claim is to be measured this time: its size, its seeds, where records go, who is told about progress."""

    size: Size
    seeds: tuple[int, ...]
    runs_dir: Path
    say: Callable[[str], None]
    train: Train

    def choose(self, *, miniature: Value, quick: Value, full: Value) -> Value:
        """Return the value of this size."""
        return {"miniature": miniature, "quick": quick, "full": full}[self.size]


@dataclass(frozen=True)
class Control:
    """A planted false version of a claim, from the same measurements, that the same machinery must reject ("fails").

    It must be false whatever was measured (an effect removed, a wrong constant, a norm made worse), not merely the
    opposite of the claim: that would be borne out wherever the claim fails. `parts` are those of the claim unless
    given.
    """

    statement: str
    values: Callable[[Measured], Mapping[str, Values]]
    parts: tuple[Part, ...] | None = None


@dataclass(frozen=True)
class Paper:
    """Where a claim stands: "Ioffe and Szegedy", 2015, the title, the section or figure, and an arXiv id or address."""

    authors: str
    year: int | None
    title: str
    section: str
    where: str = ""

    @property
    def short(self) -> str:
        """Return authors and year."""
        return self.authors if self.year is None else f"{self.authors} {self.year}"


@dataclass(frozen=True)
class Cost:
    """About how many minutes a claim takes on two quiet cores: quick as measured, full as measured or by its ratio."""

    quick: float
    full: float


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A published claim: what was said, how it is measured here and when it holds.

    `scope` is "exact" where the paper ran this on a fully connected network (or proved it for one), "transfer" where it
    did not. `published` is the number that was published and where it was seen, or "none published". `protocol`,
    `statistic` and `rule` are sentences for readers; `experiment` is the configuration in conf/experiment, where there
    is one. `seeds` are how many there are in each size. Without a `figure` the intervals of the parts are drawn alone.
    """

    claim_id: str
    statement: str
    paper: Paper
    scope: Scope
    published: str = NONE_PUBLISHED
    protocol: str
    statistic: str
    rule: str
    cost: Cost
    parts: tuple[Part, ...]
    measure: Callable[[Setting], Measured]
    control: Control
    figure: Callable[[Measured], Figure] | None = None
    experiment: str | None = None
    seeds: Mapping[Size, int] = field(default_factory=lambda: {"miniature": 4, "quick": 8, "full": 16})

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]\d+_[a-z0-9_]+", self.claim_id):
            raise ValueError(
                f"claim_id={self.claim_id!r}: expected a letter, a number and words, as A3_bn_grad_explosion"
            )
        for parts in (self.parts, self.control.parts if self.control.parts is not None else self.parts):
            names = [part.name for part in parts]
            if not names or len(set(names)) != len(names):
                raise ValueError(f"{self.claim_id}: parts {names}; expected at least one, every name once")
