"""Entries over several workloads: anchored scores, profiles, hit rates, quality and cost."""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, inf, isfinite, log

import numpy as np

from bnbench.scoring.all_pairs import mean_over, pair_matrix
from bnbench.scoring.block import Block
from bnbench.scoring.board_across import Across, AcrossEntry
from bnbench.scoring.board_row import Estimate, Row
from bnbench.scoring.comparison import SeedTimes, pair
from bnbench.scoring.entry_curves import EntryCurves
from bnbench.scoring.geometric_mean import LogRatio, MeanLogRatio, interval_of, log_ratio, mean_log_ratio, two_sided_p
from bnbench.scoring.holm import ALPHA, holm
from bnbench.scoring.profile import LARGEST_RATIO, profile_area, profile_of, ratios_to_best

Held = dict[str, int]
"""The position of every entry in a block."""


def across_workloads(blocks: Sequence[Block]) -> list[Across]:
    """Return one table per target level and track with at least two workloads that have the reference and a target."""
    kinds = dict.fromkeys((block.workload.target_level, block.track) for block in blocks)
    found = []
    for level, track in kinds:
        own = [block for block in blocks if (block.workload.target_level, block.track) == (level, track)]
        anchored = [block for block in own if block.anchor is not None and block.times]
        if len(anchored) > 1:
            found.append(_table(anchored, level=level, track=track, left_out=[b for b in own if b not in anchored]))
    return found


def _table(blocks: Sequence[Block], *, level: str, track: str, left_out: Sequence[Block]) -> Across:
    held = _held(blocks)
    names = list(dict.fromkeys(name for position in held for name in position))
    ratios = {name: _ratios(name, blocks, held) for name in names}
    to_best = _to_best(names, blocks, held)
    entries = [_entry(name, blocks, held, ratios[name], to_best[name]) for name in names]
    whole = [entry.entry for entry in entries if entry.num_workloads == len(blocks)]
    ranks = _ranks(whole, blocks, held)
    # an entry that was not run everywhere is not compared, and stands behind those that were
    entries = [replace(entry, rank=ranks.get(entry.entry, len(whole) + 1)) for entry in entries]
    entries.sort(key=lambda entry: (-entry.num_workloads, -(entry.anchored.mean or 0.0), entry.entry))
    return Across(
        target_level=level,
        track=track,
        workloads=tuple(block.workload.workload for block in blocks),
        workload_ids=tuple(block.workload.workload_id for block in blocks),
        entries=tuple(entries),
        notes=tuple(
            f"across workloads ({level}, {track}): {note}" for note in _notes(entries, blocks, left_out, ratios)
        ),
    )


def _held(blocks: Sequence[Block]) -> list[Held]:
    """An entry is one over the workloads where it is one version; versions are told apart by the start of their id."""
    versions: dict[str, set[str]] = {}
    for block in blocks:
        for entry in block.entries:
            versions.setdefault(entry.recorded_entry, set()).add(entry.entry_id)

    def name(entry: EntryCurves) -> str:
        one = len(versions[entry.recorded_entry]) == 1
        return entry.entry if one else f"{entry.recorded_entry} [{entry.entry_id[:6]}]"

    return [{name(entry): index for index, entry in enumerate(block.entries)} for block in blocks]


def _ratios(name: str, blocks: Sequence[Block], held: Sequence[Held]) -> list[LogRatio | None]:
    """Return the entry's speed-up against the reference in every workload; None where it cannot be formed."""
    found: list[LogRatio | None] = []
    for block, position in zip(blocks, held, strict=True):
        anchor = block.anchor
        if name not in position or anchor is None:
            found.append(None)
        elif position[name] == anchor:
            found.append(LogRatio(0.0, 0.0, len(block.times[anchor].seeds), "exact"))
        else:
            found.append(_paired(block.times[anchor], block.times[position[name]]))
    return found


def _paired(first: SeedTimes, second: SeedTimes) -> LogRatio | None:
    pairs = pair(first, second)
    return log_ratio(pairs.first, pairs.second)


def _to_best(names: Sequence[str], blocks: Sequence[Block], held: Sequence[Held]) -> dict[str, list[float]]:
    """Return per entry its RMST ÷ the smallest in every workload; one that never hits or was not run there is lost."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for block, position in zip(blocks, held, strict=True):
        means = [
            None
            if name not in position or block.times[position[name]].times.all_missed
            else float(np.mean(block.times[position[name]].times.steps))
            for name in names
        ]
        for name, ratio in zip(names, ratios_to_best(means), strict=True):
            found[name].append(ratio)
    return found


def _entry(
    name: str,
    blocks: Sequence[Block],
    held: Sequence[Held],
    ratios: Sequence[LogRatio | None],
    to_best: Sequence[float],
) -> AcrossEntry:
    rows = [
        block.rows[position[name]] if name in position else None for block, position in zip(blocks, held, strict=True)
    ]
    known = [ratio for ratio in ratios if ratio is not None]
    mean = mean_log_ratio(known) if known else None
    first = next(row for row in rows if row is not None)
    is_reference = all(row is None or row.is_reference for row in rows)
    return AcrossEntry(
        entry=name,
        norm=first.norm,
        rank=1,
        is_reference=is_reference,
        anchored=Estimate(1.0, 1.0, 1.0) if is_reference else _anchored(mean),
        bound="undefined" if mean is None else mean.bound,
        num_workloads=len(known),
        profile_area=profile_area(to_best),
        profile=profile_of(to_best),
        hit_rates=tuple(None if row is None else row.hit_rate for row in rows),
        speedups=tuple(None if ratio is None else exp(ratio.value) for ratio in ratios),
        quality=_mean([_quality(row, block) for row, block in zip(rows, blocks, strict=True) if row is not None]),
        relative_step=_geometric([_relative_step(row) for row in rows if row is not None]),
    )


def _anchored(mean: MeanLogRatio | None) -> Estimate:
    return Estimate() if mean is None else Estimate(exp(mean.value), *interval_of(mean))


def _quality(row: Row, block: Block) -> float | None:
    """Return (final − trivial) ÷ (target − trivial); None where trivial is not known or the target no better.

    Not by the reference's own way, which is nearly none where the reference hardly learns: the ratio would be anything.
    """
    trivial, target = block.entries[0].trivial, block.workload.target
    if trivial is None or target is None or row.final.mean is None:
        return None
    sign = 1 if block.workload.direction == "max" else -1
    gap = sign * (target - trivial)
    found = sign * (row.final.mean - trivial) / gap if gap > 0 else inf
    return found if isfinite(found) else None


def _relative_step(row: Row) -> float | None:
    return None if row.cost is None else row.cost.relative_step


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _geometric(values: Sequence[float | None]) -> float | None:
    """Where one workload is unmeasured, what the others say would not be comparable."""
    known = [value for value in values if value is not None]
    return exp(sum(map(log, known)) / len(known)) if known and len(known) == len(values) else None


def _ranks(names: Sequence[str], blocks: Sequence[Block], held: Sequence[Held]) -> dict[str, int]:
    """Return 1 + the entries that are significantly faster over all workloads, Holm-corrected over all pairs."""
    if len(names) < 2:
        return dict.fromkeys(names, 1)
    times = [[block.times[position[name]] for name in names] for block, position in zip(blocks, held, strict=True)]
    values, errors, freedom = mean_over([pair_matrix(each) for each in times])
    first, second = np.triu_indices(len(names), k=1)
    values, errors, freedom = values[first, second], errors[first, second], freedom[first, second]
    testable = np.isfinite(values) & np.isfinite(freedom) & (errors > 0)
    p_values = two_sided_p(values[testable], errors[testable], freedom[testable])
    ranks = dict.fromkeys(names, 1)
    for one, other, value, p in zip(first[testable], second[testable], values[testable], holm(p_values), strict=True):
        if p <= ALPHA:
            ranks[names[one] if value > 0 else names[other]] += 1
    return ranks


def _notes(
    entries: Sequence[AcrossEntry],
    blocks: Sequence[Block],
    left_out: Sequence[Block],
    ratios: dict[str, list[LogRatio | None]],
) -> list[str]:
    notes = []
    if left_out:
        listed = ", ".join(block.workload.workload for block in left_out)
        notes.append(f"left out, without target or reference: {listed}.")
    for entry in entries:
        missing = [
            block.workload.workload for block, ratio in zip(blocks, ratios[entry.entry], strict=True) if ratio is None
        ]
        if missing:
            notes.append(
                f"{entry.entry}: no speed-up in {', '.join(missing)}; its anchored score is over the other "
                f"{entry.num_workloads} of {len(blocks)} workloads, not comparable and not ranked."
            )
    return notes


LEGEND = (
    "anchored: geometric mean over the workloads of the speed-up against the reference, each workload counting once; "
    "its 95 % interval is over seeds, the workloads being fixed. Misses count with the budget, so that a bound stays "
    "one (≥, ≤, ~). rank: 1 + the entries significantly faster over all workloads. profile: area under the "
    f"share of workloads within a factor of the best entry, 1 to {LARGEST_RATIO:g}; an entry without a hit has none "
    "there. quality: (final − trivial) ÷ (target − trivial), mean over the workloads; 1 is at the target."
)
