"""What the diagnostics of a batch of replicas have found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Reading(NamedTuple):
    """One measurement of a diagnostic at one evaluation: values of the replicas alive, at `members` of the batch."""

    step: int
    members: Integers
    diagnostic: str
    name: str
    layer: str
    values: Floats


@dataclass
class Diagnosed:
    """The readings of the diagnostics `names`, those that were left out with the reason, and the seconds it took."""

    names: tuple[str, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    readings: list[Reading] = field(default_factory=list)

    def leave_out(self, name: str, reason: str) -> None:
        """Take a diagnostic out, with what it has found so far: half a course would be taken for a whole one."""
        self.names = tuple(other for other in self.names if other != name)
        self.left_out[name] = reason
        self.readings = [reading for reading in self.readings if reading.diagnostic != name]

    def described(self) -> dict[str, Any]:
        """Return what a record says of it."""
        return {"names": list(self.names), "left_out": dict(self.left_out), "seconds": self.seconds}

    def told(self) -> dict[str, Any]:
        """Return all of it as JSON has it; NaN and infinities stay, as Python writes and reads them."""
        readings = [
            [reading.step, reading.members.tolist(), *reading[2:5], reading.values.tolist()]
            for reading in self.readings
        ]
        return {**self.described(), "readings": readings}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Diagnosed":
        """Return what was told."""
        readings = [
            Reading(
                step, np.array(members, dtype=np.int64), diagnostic, name, layer, np.array(values, dtype=np.float64)
            )
            for step, members, diagnostic, name, layer, values in told["readings"]
        ]
        return cls(tuple(told["names"]), dict(told["left_out"]), told["seconds"], readings)


def all_left_out(names: Sequence[str], reason: str) -> Diagnosed:
    """Return what is said where nothing was measured."""
    return Diagnosed((), left_out=dict.fromkeys(names, reason))


def left_out_by_ranks(names: Sequence[str], ranks: int) -> Diagnosed:
    """Return what is said where the replicas were trained by several processes."""
    return all_left_out(names, f"{ranks} processes trained this together, each with a part of every batch")


def columns_of(readings: Sequence[Reading], seed_of: Mapping[int, int]) -> dict[str, list[Any]]:
    """Return seed, step, layer, name and value of every reading of some members, by seed, step and order of reading.

    `seed_of` says which members, and which seed each is.
    """
    rows = [
        (seed_of[member], reading.step, place, reading.layer, reading.name, value)
        for place, reading in enumerate(readings)
        for member, value in zip(reading.members.tolist(), reading.values.tolist(), strict=True)
        if member in seed_of
    ]
    rows.sort(key=lambda row: row[:3])
    names = ("seed", "step", "place", "layer", "name", "value")
    columns: dict[str, list[Any]] = {name: [row[column] for row in rows] for column, name in enumerate(names)}
    del columns["place"]
    return columns
