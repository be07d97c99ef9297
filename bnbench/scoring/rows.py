"""The rows of one workload at one target in one track."""

from collections.abc import Sequence

import numpy as np

from bnbench.metric_facts import facts_of
from bnbench.scoring import board
from bnbench.scoring.collect import EntryCurves
from bnbench.scoring.comparison import Comparison, Ranking, SeedTimes, compare_with_reference, rank
from bnbench.scoring.final import final_metric
from bnbench.scoring.holm import ALPHA
from bnbench.scoring.intervals import Interval
from bnbench.scoring.sign_flip import pairs_needed
from bnbench.scoring.survival import hit_rate, median_steps, restricted_mean
from bnbench.scoring.times import time_to_target
from bnbench.scoring.verdict import Wording, verdict

GIVEN = "given"
"""The target level of a target that was given by hand."""


def block(
    entries: Sequence[EntryCurves], workload: board.Workload, *, track: str, reference: str
) -> tuple[list[board.Row], list[str]]:
    """Return the rows of `entries`, best first, and what has to be said about all of them."""
    where = f"{workload.workload} ({workload.target_level}, {track})"
    if workload.target is None:
        reason = f"no target: its data set has no {workload.target_level} target, give one with --target"
        return [_row(entry, workload, verdict=f"{reason}.") for entry in entries], [f"{where}: {reason}."]
    times = [seed_times(entry, workload) for entry in entries]
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
            _row(
                entry,
                workload,
                verdict=sentence,
                times=times[index],
                rank=ranking.ranks[index],
                comparison=comparisons[index],
                is_reference=index == anchor,
            )
        )
    rows.sort(key=lambda row: (row.rank, row.steps_to_target.rmst, row.entry))
    return rows, [f"{where}: {note}" for note in notes if note]


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
        finite = np.concatenate([entry.values[np.isfinite(entry.values)] for entry in entries])
        best = (np.max if workload.direction == "max" else np.min)(finite) if len(finite) else None
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


def _row(
    entry: EntryCurves,
    workload: board.Workload,
    *,
    verdict: str,
    times: SeedTimes | None = None,
    rank: int = 1,
    comparison: Comparison | None = None,
    is_reference: bool = False,
) -> board.Row:
    unknown = Interval(None, None, None)
    steps = restricted_mean(times.times) if times else unknown
    hits = hit_rate(times.times) if times else unknown
    facts = facts_of(workload.metric)
    final, counted_trivial = final_metric(
        entry.finals,
        entry.diverged,
        # what is good by the metric must not be given to a seed that is lost
        trivial=entry.trivial if facts.trivial_is_poor else None,
        possible=facts.possible,
    )
    return board.Row(
        workload=workload.workload,
        workload_id=workload.workload_id,
        target_level=workload.target_level,
        track=entry.track,
        entry=entry.entry,
        norm=entry.norm,
        rank=rank,
        n_seeds=len(entry.seeds),
        hit_rate=hits.estimate,
        hit_rate_interval=board.HitRateInterval(hits.low, hits.high),
        steps_to_target=board.StepsToTarget(
            median_steps(times.times) if times else None, steps.estimate, steps.low, steps.high
        ),
        speedup=_speedup(comparison, times if is_reference else None),
        final=board.Final(final.estimate, final.low, final.high, counted_trivial),
        diverged=int(np.sum(entry.diverged)),
        is_reference=is_reference,
        verdict=verdict,
    )


def _speedup(comparison: Comparison | None, reference: SeedTimes | None) -> board.Speedup:
    """The reference against itself is 1, unless it never hits or needs no step."""
    if reference is not None:
        times = reference.times
        if times.all_missed or times.steps.sum() == 0:
            return board.Speedup(None, None, None, "undefined", len(times), None, None, None)
        return board.Speedup(1.0, 1.0, 1.0, "exact", len(times), None, None, None)
    if comparison is None:
        return board.Speedup(None, None, None, "undefined", 0, None, None, None)
    seen = comparison.speedup
    return board.Speedup(
        seen.estimate,
        seen.low,
        seen.high,
        seen.bound,
        len(comparison.pairs.first),
        comparison.p,
        comparison.p_holm,
        None if comparison.decided else comparison.more_seeds,
    )
