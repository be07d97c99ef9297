"""One row of a board from an entry's seeds."""

import numpy as np

from bnbench.metric_facts import facts_of
from bnbench.scoring import board
from bnbench.scoring.comparison import Comparison, SeedTimes
from bnbench.scoring.entry_curves import EntryCurves
from bnbench.scoring.final import final_metric
from bnbench.scoring.intervals import Interval
from bnbench.scoring.survival import hit_rate, median_steps, restricted_mean


def row_of(
    entry: EntryCurves,
    workload: board.Workload,
    *,
    verdict: str,
    times: SeedTimes | None = None,
    rank: int = 1,
    comparison: Comparison | None = None,
    is_reference: bool = False,
) -> board.Row:
    """Return the row of an entry; `times` are None without a target."""
    unknown = Interval(None, None, None)
    steps = restricted_mean(times.times) if times else unknown
    hits = hit_rate(times.times) if times else unknown
    possible = facts_of(workload.metric).possible
    final, counted_trivial = final_metric(entry.finals, entry.diverged, trivial=entry.trivial, possible=possible)
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
