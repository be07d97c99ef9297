"""`bnbench.runs list`: one line per cell."""

from pathlib import Path
from typing import Any

from bnbench.runs_commands.answer import Answer, seeds_text, table
from bnbench.runs_commands.inventory import Cell, chosen, experiments_of, take_inventory
from bnbench.scoring.score import require_known

HEADER = ("cell", "dataset", "entry", "track", "lr", "seeds", "status", "started")


def list_cells(
    runs_dir: Path,
    *,
    datasets: tuple[str, ...] | None = None,
    norms: tuple[str, ...] | None = None,
    experiments: tuple[str, ...] | None = None,
) -> Answer:
    """Return the cells of a folder of runs; raises UserError for a data set, norm or experiment it does not have."""
    inventory = take_inventory(runs_dir)
    cells = list(inventory.cells.values())
    facts = [cell.facts for cell in cells if cell.facts is not None]
    indexes, problems = experiments_of(runs_dir)
    if datasets is not None:
        require_known("dataset", datasets, {record.dataset for record in facts})
    if norms is not None:
        require_known("norm", norms, {record.norm for record in facts})
    if experiments is not None:
        require_known("experiment", experiments, {*indexes, *(name for each in facts for name in each.experiments)})
    asked = {cell_id for name in experiments or () for cell_id in indexes.get(name, {})}
    kept = chosen(cells, datasets=datasets, norms=norms, asked=asked, experiments=experiments)
    lines = table(HEADER, [_row(cell) for cell in kept]) if kept else ["no cell"]
    lines += [f"not counted: {item.path}: {item.reason}" for item in inventory.homeless]
    return Answer(
        lines=lines + problems,
        data={
            "cells": [_data(cell) for cell in kept],
            "skipped": [{"path": str(item.path), "reason": item.reason} for item in inventory.homeless],
        },
    )


def _row(cell: Cell) -> tuple[str, ...]:
    facts = cell.facts
    rate = "–" if cell.learning_rate is None else f"{cell.learning_rate:g}"
    seeds = f"{len(cell.seeds)} ({seeds_text(cell.seeds)})" if cell.seeds else "0"
    status = f"failed: {seeds_text(cell.failed_seeds)}" if cell.failed_seeds else cell.status
    if facts is None:
        return (cell.cell_id, cell.folder.name.rpartition("-")[0], "–", "–", rate, seeds, status, "–")
    return (cell.cell_id, facts.dataset, facts.entry, facts.track, rate, seeds, status, cell.started_at[:19] or "–")


def _data(cell: Cell) -> dict[str, Any]:
    facts = cell.facts
    return {
        "cell_id": cell.cell_id,
        "folder": str(cell.folder),
        "dataset": facts.dataset if facts else None,
        "entry": facts.entry if facts else None,
        "norm": facts.norm if facts else None,
        "workload_id": facts.workload_id if facts else None,
        "experiments": sorted({name for record in (*cell.records, *cell.failed) for name in record.experiments}),
        "track": facts.track if facts else None,
        "learning_rate": cell.learning_rate,
        "seeds": cell.seeds,
        "failed_seeds": cell.failed_seeds,
        "status": cell.status,
        "started_at": cell.started_at or None,
        "skipped": [{"path": str(item.path), "reason": item.reason} for item in cell.skipped],
    }
