"""The same (cell, seed) in two folders: identical copies count once, a conflict is reported, neither silently wins."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bnbench.errors import UserError
from bnbench.records.record import Record

_MAX_SEEDS_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What training decided: the outcome of each seed, and the history columns."""

    outcomes: dict[int, dict[str, Any]]
    history: dict[str, npt.NDArray[Any]]

    @classmethod
    def of(cls, record: Record) -> "Results":
        """Return the results in a record's folder; raises UserError if its history cannot be read."""
        return cls(outcomes={entry["seed"]: entry for entry in record.seeds}, history=record.history())


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Seeds of one cell that two folders hold: only the copy in ``kept`` counts.

    ``superseded``: identical, and trained again for diagnostics that this one lacks.
    """

    cell_id: str
    seeds: tuple[int, ...]
    kept: Path
    path: Path
    identical: bool
    superseded: bool = False

    @property
    def reason(self) -> str:
        """Return one sentence for reports: what lies twice, whether the two agree, and which one counts."""
        listed = ", ".join(map(str, self.seeds[:_MAX_SEEDS_SHOWN]))
        more = ", ..." if len(self.seeds) > _MAX_SEEDS_SHOWN else ""
        verdict = "identical, counted once" if self.identical else "CONFLICT: the results differ"
        return f"seeds {listed}{more} of cell {self.cell_id} also lie in {self.kept}, which counts; {verdict}"


def without_overlaps(records: Iterable[Record]) -> tuple[list[Record], list[Overlap]]:
    """Return the records with every (cell, seed) in one of them only, and what the others held as well.

    That is the one with most diagnostics, and of several the first. A record that keeps no seed is left out.
    """
    given = list(records)
    holders: dict[tuple[str, int], Record] = {}
    kept: list[Record] = []
    overlaps: list[Overlap] = []
    for record in sorted(given, key=lambda each: -len(each.asked_diagnostics)):
        twice: dict[Path, list[int]] = defaultdict(list)
        fresh = []
        for entry in record.seeds:
            holder = holders.setdefault((record.cell_id, entry["seed"]), record)
            if holder is record:
                fresh.append(entry)
            else:
                twice[holder.path].append(entry["seed"])
        for seeds in twice.values():
            overlaps += _compare(holders[record.cell_id, seeds[0]], record, seeds)
        if fresh:
            kept.append(record if len(fresh) == len(record.seeds) else replace(record, seeds=fresh))
    order = {record.path: place for place, record in enumerate(given)}
    kept.sort(key=lambda each: order[each.path])
    overlaps.sort(key=lambda each: order[each.path])
    return kept, overlaps


def same_results(first: Results, second: Results, seeds: Iterable[int]) -> dict[int, bool]:
    """Return for each seed whether both hold the same outcome and, bit for bit, the same history rows."""
    comparable = first.history.keys() == second.history.keys()
    return {
        seed: comparable
        and first.outcomes[seed] == second.outcomes[seed]
        and _same_rows(first.history, second.history, seed)
        for seed in seeds
    }


def _compare(kept: Record, other: Record, seeds: list[int]) -> list[Overlap]:
    """Return one overlap for the seeds on which both agree and one for the seeds on which they do not."""
    try:
        same = same_results(Results.of(kept), Results.of(other), seeds)
    except UserError:
        same = dict.fromkeys(seeds, False)  # what cannot be read cannot be called identical
    fewer = other.asked_diagnostics < kept.asked_diagnostics
    return [
        Overlap(
            cell_id=kept.cell_id,
            seeds=chosen,
            kept=kept.path,
            path=other.path,
            identical=identical,
            superseded=identical and fewer,
        )
        for identical in (True, False)
        if (chosen := tuple(seed for seed in seeds if same[seed] is identical))
    ]


def _same_rows(first: dict[str, npt.NDArray[Any]], second: dict[str, npt.NDArray[Any]], seed: int) -> bool:
    rows = [columns["seed"] == seed for columns in (first, second)]
    return all(
        np.array_equal(column[rows[0]], second[name][rows[1]], equal_nan=column.dtype.kind == "f")
        for name, column in first.items()
    )
