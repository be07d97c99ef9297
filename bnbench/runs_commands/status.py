"""`bnbench.runs status`: how far the runs of a folder are, what trains now, and what failed; of any sweep, anywhere."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnbench.command_line import FAILED, FINE
from bnbench.records.held_locks import HeldLock, held_locks
from bnbench.reports.cells import plain
from bnbench.runs_commands.answer import MOST_SHOWN, Answer, few, number_of, section, seeds_text
from bnbench.runs_commands.inventory import Cell, Inventory, experiments_of, take_inventory, value_at
from bnbench.runs_commands.sweep_notes import SweepNotes, newest_sweep

Indexes = Mapping[str, Mapping[str, Mapping[str, Any]]]


def status_of(runs_dir: Path) -> Answer:
    """Return what is done, trains now, failed or is unfinished; the code is 1 if something failed or is damaged."""
    inventory = take_inventory(runs_dir, check_history=True)
    indexes, problems = experiments_of(runs_dir)
    locks = [lock for lock in held_locks(runs_dir) if lock.alive]
    held = {lock.name for lock in locks}
    cells = list(inventory.cells.values())
    failures = [failure for cell in cells for failure in _failures(cell)]
    unfinished = [item for cell in cells if cell.cell_id not in held for item in cell.skipped if item.unfinished]
    damaged = [item for cell in cells for item in cell.skipped if not item.unfinished] + inventory.homeless
    progress = {name: _progress(index, inventory) for name, index in indexes.items()}
    sweep = newest_sweep(runs_dir)
    seeds = sum(len(cell.seeds) for cell in cells)
    done = sum(cell.status == "done" for cell in cells)
    lines = [f"{runs_dir}: {done:,} of {number_of(len(cells), 'cell')} done, {number_of(seeds, 'trained seed')}"]
    lines += section("Experiments, of what their jobs have asked for so far", _progress_lines(progress))
    lines += section("Training now", [_lock_line(lock, inventory) for lock in locks])
    lines += section("Newest sweep", _sweep_lines(sweep))
    told = [line for failure in failures for line in _told(failure)]
    lines += section(f"Failed ({len(failures)})", few(told, most=3 * MOST_SHOWN))
    for title, items in (("Unfinished, trained again by the same command", unfinished), ("Not counted", damaged)):
        lines += section(f"{title} ({len(items)})", few([plain(f"{item.path}: {item.reason}") for item in items]))
    overlaps = [f"{overlap.path}: {overlap.reason}" for overlap in (*inventory.conflicts, *inventory.copies)]
    lines += section(f"Lie twice ({len(overlaps)})", few([plain(text) for text in overlaps]))
    lines += section("Indexes", [plain(problem) for problem in problems])
    failed = failures or damaged or inventory.conflicts or problems or (sweep is not None and sweep.refusals)
    data = {
        "runs_dir": str(runs_dir),
        "cells": len(cells),
        "cells_done": done,
        "seeds": seeds,
        "experiments": progress,
        "training": [_lock_data(lock) for lock in locks],
        "sweep": _sweep_data(sweep),
        "failures": failures,
        "unfinished": [{"path": str(item.path), "reason": item.reason} for item in unfinished],
        "skipped": [{"path": str(item.path), "reason": item.reason} for item in damaged],
        "conflicts": [{"path": str(each.path), "reason": each.reason} for each in inventory.conflicts],
        "copies": [{"path": str(each.path), "reason": each.reason} for each in inventory.copies],
        "problems": problems,
    }
    return Answer(lines=lines, data=data, code=FAILED if failed else FINE)


def _failures(cell: Cell) -> list[dict[str, Any]]:
    """Return the failed records of seeds that were not trained since."""
    left = set(cell.failed_seeds)
    return [
        {
            "cell": cell.name,
            "cell_id": cell.cell_id,
            "seeds": seeds,
            "message": f"{record.error['type']}: {record.error['message']}" if record.error else "",
            "path": str(record.path),
            "again": _command(record.environment),
        }
        for record in cell.failed
        if (seeds := sorted(entry["seed"] for entry in record.seeds if entry["seed"] in left))
    ]


def _command(environment: Mapping[str, Any]) -> str | None:
    command = value_at(environment, "command")
    return command if isinstance(command, str) and command else None


def _told(failure: Mapping[str, Any]) -> list[str]:
    message = plain(failure["message"].strip().partition("\n")[0])
    lines = [f"{plain(failure['cell'])}, seeds {seeds_text(failure['seeds'])}: {message}"]
    # what is finished is never trained again, so the job's own command runs only what failed
    again = [f"  again: {plain(failure['again'])}"] if failure["again"] else []
    return [*lines, *again, plain(f"  traceback: python -m bnbench.runs show --traceback {failure['path']}")]


def _progress(index: Mapping[str, Mapping[str, Any]], inventory: Inventory) -> dict[str, int]:
    found = dict.fromkeys(("cells", "cells_done", "seeds", "seeds_done", "seeds_failed"), 0)
    for cell_id, asked in index.items():
        cell, wanted = inventory.cells.get(cell_id), set(asked["seeds"])
        trained = wanted.intersection(cell.seeds) if cell else set()
        found["cells"] += 1
        found["cells_done"] += trained == wanted
        found["seeds"] += len(wanted)
        found["seeds_done"] += len(trained)
        found["seeds_failed"] += len(wanted.intersection(cell.failed_seeds)) if cell else 0
    return found


def _progress_lines(progress: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [
        plain(
            f"{name}: {found['cells_done']:,} of {number_of(found['cells'], 'cell')}, "
            f"{found['seeds_done']:,} of {number_of(found['seeds'], 'seed')} done"
            + (f", {found['seeds_failed']:,} failed" if found["seeds_failed"] else "")
        )
        for name, found in progress.items()
    ]


def _lock_line(lock: HeldLock, inventory: Inventory) -> str:
    cell = inventory.cells.get(lock.name)
    return plain(
        f"{cell.name if cell else lock.name}: {lock.holder}, last sign of life "
        f"{lock.seconds_since_sign_of_life:.0f} s ago"
    )


def _lock_data(lock: HeldLock) -> dict[str, Any]:
    return {
        "name": lock.name,
        "host": lock.host,
        "process": lock.process,
        "seconds_since_sign_of_life": round(lock.seconds_since_sign_of_life, 1),
    }


def _sweep_lines(sweep: SweepNotes | None) -> list[str]:
    if sweep is None:
        return []
    ago = max(0.0, time.time() - sweep.last_note_at)
    jobs = number_of(sweep.jobs, "job")
    if sweep.num_jobs is not None:
        # the tuned track adds jobs at the end, which were not counted before
        jobs = f"{min(sweep.jobs, sweep.num_jobs):,} of {number_of(sweep.num_jobs, 'job')}"
    cells = f" ({number_of(sweep.num_cells, 'cell')})" if sweep.num_cells is not None else ""
    what = f"ended, the last {_ago(ago)} ago" if sweep.jobs else f"ended, begun {_ago(ago)} ago"
    lines = [f"{plain(sweep.name)}: {jobs}{cells} {what}"]
    for refusal in sweep.refusals:
        lines += [plain(f"refused: {refusal.reason.strip()}"), plain(f"  again: {refusal.command}")]
    return few(lines, most=2 * MOST_SHOWN)


def _sweep_data(sweep: SweepNotes | None) -> dict[str, Any] | None:
    if sweep is None:
        return None
    refusals = [{"reason": refusal.reason, "command": refusal.command} for refusal in sweep.refusals]
    size = {"num_jobs": sweep.num_jobs, "num_cells": sweep.num_cells}
    return {"name": sweep.name, "jobs": sweep.jobs, **size, "refusals": refusals}


def _ago(seconds: float) -> str:
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
