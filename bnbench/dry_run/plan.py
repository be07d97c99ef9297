"""What one job of a sweep would train, from its configuration and what is recorded already."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bnbench.config import Config, budget_of, learning_rates
from bnbench.datasets import Task
from bnbench.norms import ChosenNorm
from bnbench.records import load_records
from bnbench.records.held_locks import held_locks
from bnbench.training.automatic_targets import foreseen_targets
from bnbench.training.cells import Cell, plan_cells


@dataclass(frozen=True, kw_only=True)
class PlannedCell:
    """A cell with the seeds it lacks, those of them that failed before, and who trains it now, if anybody.

    Of those it lacks, `undiagnosed` are finished and lack only diagnostics.
    """

    cell: Cell
    missing: tuple[int, ...]
    failed: tuple[int, ...] = ()
    undiagnosed: tuple[int, ...] = ()
    holder: str | None = None

    @property
    def is_new(self) -> bool:
        """Return whether nothing of it is recorded, not even a failure."""
        return len(self.missing) == len(self.cell.seeds) and not self.failed and not self.undiagnosed

    @property
    def steps(self) -> int:
        """Return the optimizer steps to train, over all seeds."""
        return len(self.missing) * budget_of(self.cell.config).max_steps


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """A job: its cells and where their targets come from, or why it is refused.

    `target_cells` are the cells of the reference that are trained first, to measure the targets; `max_extensions` is
    how many learning rates the tuned track may add per side.
    """

    command: str
    refusal: str | None = None
    cells: tuple[PlannedCell, ...] = ()
    targets: str = ""
    target_cells: tuple[PlannedCell, ...] = ()
    max_extensions: int = 0


def plan_job(config: Config, task: Task, norm: ChosenNorm, *, command: str) -> PlannedJob:
    """Return what a job would train; the configuration is checked and filled in."""
    cells = _planned(plan_cells(config, task, norm), Path(config.runs_dir))
    targets, reference = foreseen_targets(config, task)
    to_do = any(cell.missing for cell in cells)
    extensible = config.track == "tuned" and len(learning_rates(config)) > 1
    return PlannedJob(
        command=command,
        cells=cells,
        targets=targets,
        target_cells=_planned(reference, Path(config.runs_dir)) if to_do else (),
        max_extensions=config.tuning.max_extensions if extensible else 0,
    )


def _planned(cells: Sequence[Cell], runs_dir: Path) -> tuple[PlannedCell, ...]:
    holders = {lock.name: lock.holder for lock in held_locks(runs_dir) if lock.alive}
    planned = []
    for cell in cells:
        missing = cell.missing_seeds()
        recorded = load_records(cell.folder, check_history=False).failed if missing and cell.folder.is_dir() else []
        failed = {entry["seed"] for record in recorded for entry in record.seeds}
        planned.append(
            PlannedCell(
                cell=cell,
                missing=missing,
                failed=tuple(seed for seed in missing if seed in failed),
                undiagnosed=tuple(cell.undiagnosed_seeds()) if missing else (),
                holder=holders.get(cell.folder.name) or holders.get(cell.cell_id) if missing else None,
            )
        )
    return tuple(planned)
