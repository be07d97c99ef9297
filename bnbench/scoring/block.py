"""The rows of one workload at one target in one track, and what has to be said of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnbench.scoring import board
from bnbench.scoring.comparison import Comparison, Ranking, SeedTimes, compare_with_reference, rank
from bnbench.scoring.entry_curves import EntryCurves
from bnbench.scoring.holm import ALPHA
from bnbench.scoring.rows import row_of
from bnbench.scoring.sign_flip import pairs_needed
from bnbench.scoring.times import time_to_target
from bnbench.scoring.verdict import Wording, verdict

GIVEN = "given"
"""The target level of a target that was given by hand."""


@dataclass(frozen=True)
class Block:
    """The rows of one workload, target level and track, best first; in the same order the entries and their times.

    `times` is empty without a target.
    """

    workload: board.Workload
    track: str
    rows: tuple[board.Row, ...]
    notes: tuple[str, ...]
    entries: tuple[EntryCurves, ...]
    times: tuple[SeedTimes, ...]

    @property
    def anchor(self) -> int | None:
        """Return the index of the reference."""
        return next((index for index, row in enumerate(self.rows) if row.is_reference), None)


def block(
    entries: Sequence[EntryCurves],
    workload: board.Workload,
    *,
    track: str,
    reference: str,
) -> Block:
    """Return the rows of `entries`, best first, and what has to be said about all of them."""
    where = f"{workload.workload} ({workload.target_level}, {track})"
    if workload.target is None:
        reason = f"no target: its data set has no {workload.target_level} target, give one with --target"
        rows = [row_of(entry, workload, verdict=f"{reason}.") for entry in entries]
        return Block(workload, track, tuple(rows), (f"{where}: {reason}.",), tuple(entries), ())
    times = _sharing_seeds([seed_times(entry, workload) for entry in entries])
    anchor, problem = find_reference(entries, reference)
    ranking = rank(times)
    notes = [problem, *_limits(entries, times, workload, ranking)]
    comparisons = _comparisons(times, anchor)
    wording = Wording(
        metric=workload.metric,
        target=workload.target,
        given_by_hand=workload.target_level == GIVEN,
        max_steps=workload.max_steps,
        reference=reference if anchor is None else entries[anchor].entry,
    )
    rows = []
    for index, entry in enumerate(entries):
        lost = int(np.sum(entry.diverged))
        if anchor is None:
            sentence = problem
        elif index == anchor:
            sentence = _of_reference(times[index], wording, diverged=lost)
        else:
            sentence = verdict(entry.entry, comparisons[index], wording, diverged=lost, n_seeds=len(entry.seeds))
        rows.append(
            row_of(
                entry,
                workload,
                verdict=sentence,
                times=times[index],
                rank=ranking.ranks[index],
                comparison=comparisons[index],
                is_reference=index == anchor,
            )
        )
    order = sorted(
        range(len(rows)), key=lambda index: (rows[index].rank, rows[index].steps_to_target.rmst, rows[index].entry)
    )
    said = tuple(f"{where}: {note}" for note in notes if note)
    rows, entries, times = [rows[i] for i in order], [entries[i] for i in order], [times[i] for i in order]
    return Block(workload, track, tuple(rows), said, tuple(entries), tuple(times))


def _sharing_seeds(times: Sequence[SeedTimes]) -> list[SeedTimes]:
    """Equal arrays of seeds become one array: thousands of pairs need not be compared seed by seed."""
    kept: dict[bytes, SeedTimes] = {}
    return [SeedTimes(kept.setdefault(each.seeds.tobytes(), each).seeds, each.times) for each in times]


def best_seen(entries: Sequence[EntryCurves], workload: board.Workload) -> float | None:
    """Return the best finite value of the metric that any seed showed at any evaluation."""
    finite = np.concatenate([entry.values[np.isfinite(entry.values)] for entry in entries])
    return float((np.max if workload.direction == "max" else np.min)(finite)) if len(finite) else None


def seed_times(entry: EntryCurves, workload: board.Workload) -> SeedTimes:
    """Return the entry's times to the workload's target, which must not be None."""
    assert workload.target is not None
    times = time_to_target(
        entry.steps,
        entry.values,
        target=workload.target,
        direction=workload.direction,
        budget=workload.max_steps,
        diverged_at_step=entry.diverged_at_step,
    )
    return SeedTimes(entry.seeds, times)


def find_reference(entries: Sequence[EntryCurves], reference: str) -> tuple[int | None, str]:
    """Return the index of the entry called `reference`, by its text or, if one entry only, its norm; or why none is."""
    by_text = [index for index, entry in enumerate(entries) if entry.entry == reference]
    by_norm = [index for index, entry in enumerate(entries) if entry.norm == reference]
    if by_text or len(by_norm) == 1:
        return (by_text or by_norm)[0], ""
    if by_norm:
        several = ", ".join(f"'{entries[index].entry}'" for index in by_norm)
        return None, f"no speed-up: the reference '{reference}' could be {several}; name one with --reference."
    return None, f"no speed-up: the reference '{reference}' has no scored seed here; ranks rest on pairwise tests."


def _comparisons(times: Sequence[SeedTimes], anchor: int | None) -> list[Comparison | None]:
    if anchor is None:
        return [None] * len(times)
    others = [each for index, each in enumerate(times) if index != anchor]
    compared = compare_with_reference(times[anchor], others)
    return [*compared[:anchor], None, *compared[anchor:]]


def _limits(
    entries: Sequence[EntryCurves], times: Sequence[SeedTimes], workload: board.Workload, ranking: Ranking
) -> list[str]:
    """Say what this target and this many seeds cannot show."""
    notes = []
    if all(each.times.all_missed for each in times):
        best = best_seen(entries, workload)
        seen = "no finite value was seen" if best is None else f"the best value seen is {best:.6g}"
        notes.append(f"no entry reaches {workload.metric} {workload.target:g} in {workload.max_steps:,} steps; {seen}.")
    needed = pairs_needed(ALPHA, comparisons=max(1, ranking.tested))
    few = [
        f"{entry.entry} ({count})" for entry, count in zip(entries, ranking.most_pairs, strict=True) if count < needed
    ]
    if few and len(entries) > 1:
        notes.append(
            f"too few paired seeds to split any rank of: {', '.join(few)}. With {ranking.tested} pair(s) of entries to "
            f"correct for, at least {needed} can."
        )
    return notes


def _of_reference(times: SeedTimes, wording: Wording, *, diverged: int) -> str:
    hits = int(np.sum(times.times.reached))
    died = f"; {diverged} diverged" if diverged else ""
    return f"the reference: reaches {wording.goal} with {hits} of {len(times.seeds)} seeds{died}."
