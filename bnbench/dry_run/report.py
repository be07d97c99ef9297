"""A dry run in words: the matrix by workload, why cells are new, what is refused, and how much there is to train."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bnbench.config import as_dict, budget_of
from bnbench.dry_run.plan import PlannedCell, PlannedJob
from bnbench.dry_run.reasons import Recorded
from bnbench.records import load_records
from bnbench.reports.cells import plain
from bnbench.runs_commands.answer import number_of, seeds_text, table
from bnbench.scoring.workload_names import without_rate, workload_names

HEADER = ("entry", "lr", "state", "seeds done", "to train", "failed before")


def report_lines(jobs: Sequence[PlannedJob]) -> list[str]:
    """Return the lines of a dry run."""
    cells = merged(cell for job in jobs for cell in job.cells)
    targets = {cell.cell.workload_without_rate: job.targets for job in jobs for cell in job.cells}
    named = [
        (cell.cell.workload_without_rate, cell.cell.config.dataset.name, without_rate(as_dict(cell.cell.config)))
        for cell in cells
    ]
    names = workload_names(named)
    lines = ["Dry run: nothing is trained or written."]
    for workload, name in names.items():
        lines += ["", plain(name), *_block([cell for cell in cells if cell.cell.workload_without_rate == workload])]
        lines += [plain(f"  target: {targets[workload]}")]
    lines += _why_lines(cells)
    refused = [job for job in jobs if job.refusal is not None]
    if refused:
        lines += ["", f"Refused ({len(refused)}):"]
        lines += [plain(line) for job in refused for line in (f"  {job.refusal}", f"    again: {job.command}")]
    return [*lines, "", *_totals(jobs, cells)]


def merged(cells: Iterable[PlannedCell]) -> list[PlannedCell]:
    """Return every cell once, with all the seeds that jobs ask of it."""
    found: dict[str, PlannedCell] = {}
    for cell in cells:
        known = found.setdefault(cell.cell.cell_id, cell)
        if len(cell.cell.seeds) > len(known.cell.seeds):
            found[cell.cell.cell_id] = replace(cell, missing=tuple(sorted({*cell.missing, *known.missing})))
    return list(found.values())


def _block(cells: Sequence[PlannedCell]) -> list[str]:
    config = cells[0].cell.config
    budget = budget_of(config)
    told = (
        f"  {config.model.name}, {config.optimizer.name}, {budget.max_steps:,} steps of {budget.batch_size} rows; "
        f"workload {cells[0].cell.workload_without_rate}"
    )
    return [told, *(f"  {line}" for line in table(HEADER, [_row(cell) for cell in cells]))]


def _row(planned: PlannedCell) -> tuple[str, ...]:
    cell, missing = planned.cell, planned.missing
    return (
        cell.entry,
        f"{cell.learning_rate:g}",
        _state(planned),
        f"{len(cell.seeds) - len(missing)} of {len(cell.seeds)}",
        seeds_text(missing) or "–",
        seeds_text(planned.failed) or "–",
    )


def _state(planned: PlannedCell) -> str:
    if not planned.missing:
        return "done"
    state = "to do" if len(planned.missing) == len(planned.cell.seeds) else "missing seeds"
    state = "missing diagnostics" if planned.undiagnosed else state
    return f"{state}, trained now by {planned.holder}" if planned.holder else state


def _why_lines(cells: Sequence[PlannedCell]) -> list[str]:
    """Return why new cells are new; cells of one reason share a line."""
    new = [cell for cell in cells if cell.is_new]
    folders = sorted({Path(cell.cell.config.runs_dir) for cell in new if Path(cell.cell.config.runs_dir).is_dir()})
    if not folders:
        return []
    asked = frozenset(cell.cell.cell_id for cell in cells)
    recorded = Recorded(load_records(*folders, check_history=False).records, asked=asked)
    by_reason: dict[str, list[str]] = {}
    for planned in new:
        why = recorded.why_new(planned.cell)
        if why is not None:
            name = f"{planned.cell.entry} lr {planned.cell.learning_rate:g} (recorded: {why[0]})"
            by_reason.setdefault(why[1], []).append(name)
    if not by_reason:
        return []
    lines = [line for why, names in by_reason.items() for line in (f"  {why}", f"    {', '.join(names)}")]
    return ["", "New, although nearly the same is recorded:", *map(plain, lines)]


def _totals(jobs: Sequence[PlannedJob], cells: Sequence[PlannedCell]) -> list[str]:
    done = [cell for cell in cells if not cell.missing]
    untouched = [cell for cell in cells if len(cell.missing) == len(cell.cell.seeds)]
    partly = len(cells) - len(done) - len(untouched)
    seeds, missing = sum(len(cell.cell.seeds) for cell in cells), sum(len(cell.missing) for cell in cells)
    failed = sum(len(cell.failed) for cell in cells)
    lines = [
        f"{number_of(len(cells), 'cell')}: {len(done):,} done, {partly:,} with missing seeds, {len(untouched):,} to do",
        f"{number_of(seeds, 'seed')}: {seeds - missing:,} done, {missing:,} to train"
        + (f", {failed:,} of them failed before" if failed else ""),
        f"{number_of(sum(cell.steps for cell in cells), 'step')} to train, over all seeds",
    ]
    reference = [cell for cell in merged(cell for job in jobs for cell in job.target_cells) if cell.missing]
    if reference:
        runs, steps = sum(len(cell.missing) for cell in reference), sum(cell.steps for cell in reference)
        lines.append(f"{number_of(steps, 'step')} before, of {number_of(runs, 'run')} that measure targets")
    if most := max((job.max_extensions for job in jobs), default=0):
        lines.append(
            f"the tuned track may add up to {number_of(most, 'learning rate')} per side (tuning.max_extensions)"
        )
    return lines
