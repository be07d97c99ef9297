"""What charts and the drill-down to single seeds and records are made from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnbench.records import Record
from bnbench.scoring.area_under_curve import with_losses_at_trivial
from bnbench.scoring.block import Block
from bnbench.scoring.board_curves import Curves, RunFact, SeedOutcome
from bnbench.scoring.comparison import SeedTimes
from bnbench.scoring.entry_curves import EntryCurves
from bnbench.scoring.times import Floats


def curves_of(block: Block) -> list[Curves]:
    """Return the curves of every row of a block, in the order of its rows."""
    return [
        _curves(entry, block, block.times[index] if block.times else None) for index, entry in enumerate(block.entries)
    ]


def _curves(entry: EntryCurves, block: Block, times: SeedTimes | None) -> Curves:
    filled = with_losses_at_trivial(entry.values, entry.trivial)
    low, median, high = np.percentile(filled, [25, 50, 75], axis=0)
    return Curves(
        workload_id=block.workload.workload_id,
        target_level=block.workload.target_level,
        track=block.track,
        entry=entry.entry,
        steps=entry.steps,
        median=median,
        low=low,
        high=high,
        hit_share=None if times is None else hit_share(entry.steps, times),
        seeds=tuple(_outcome(entry, index, times) for index in range(len(entry.seeds))),
    )


def hit_share(steps: Floats, times: SeedTimes) -> Floats:
    """Return the share of seeds that have met the target by each of `steps` (g,): the ECDF of the times to target."""
    hits = np.sort(times.times.steps[times.times.reached])
    share: Floats = np.searchsorted(hits, steps, side="right") / len(times.times)
    return share


def _outcome(entry: EntryCurves, index: int, times: SeedTimes | None) -> SeedOutcome:
    died, spikes = _known(entry.diverged_at_step[index]), _known(entry.spikes[index])
    return SeedOutcome(
        seed=int(entry.seeds[index]),
        steps=None if times is None else float(times.times.steps[index]),
        reached=times is not None and bool(times.times.reached[index]),
        final=_known(entry.finals[index]),
        best=_known(entry.bests[index]),
        test=_known(entry.tests[index]),
        diverged_at_step=None if died is None else int(died),
        spikes=None if spikes is None else int(spikes),
    )


def _known(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def run_facts(records: Sequence[Record]) -> tuple[RunFact, ...]:
    """Return where each record lies and how it came about."""
    return tuple(_fact(record) for record in records)


def _fact(record: Record) -> RunFact:
    told: Mapping[str, Any] = record.environment
    versions = told.get("versions")
    known = versions if isinstance(versions, dict) else {}
    hardware = [str(told[name]) for name in ("processor", "device") if told.get(name)]
    if told.get("threads"):
        hardware.append(f"{told['threads']} thread{'' if told['threads'] == 1 else 's'}")
    return RunFact(
        path=str(record.path),
        workload_id=record.workload_id,
        track=record.track,
        entry=record.entry,
        cell_id=record.cell_id,
        num_seeds=len(record.seeds),
        command=_text(told.get("command")),
        versions=tuple((str(name), _text(version)) for name, version in known.items()),
        hardware=", ".join(hardware),
        commit=_text(told.get("commit")),
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)
