"""The cells of a folder of runs: of each its records, what failed, and what is unfinished or damaged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bnbench.errors import UserError
from bnbench.records import Overlap, Record, Skipped, list_experiments, load_records, read_experiment
from bnbench.records.layout import EXPERIMENTS_FOLDER, cell_id_of, distinct_safe_name


@dataclass(kw_only=True)
class Cell:
    """One cell as it lies on the disk; `folder` is the first that holds a part of it."""

    cell_id: str
    folder: Path
    records: list[Record] = field(default_factory=list)
    failed: list[Record] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def facts(self) -> Record | None:
        """Return a record that says what the cell is: a finished one if there is one; None without any."""
        return next(iter((*self.records, *self.failed)), None)

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """Return what became of each trained seed, by seed."""
        return sorted((entry for record in self.records for entry in record.seeds), key=lambda entry: entry["seed"])

    @property
    def seeds(self) -> list[int]:
        """Return the seeds that are trained."""
        return [entry["seed"] for entry in self.outcomes]

    @property
    def failed_seeds(self) -> list[int]:
        """Return the seeds that failed and were not trained since."""
        trained = set(self.seeds)
        return sorted({entry["seed"] for record in self.failed for entry in record.seeds} - trained)

    @property
    def status(self) -> str:
        """Return done, failed, unfinished or damaged: the worst that is left to do."""
        if self.failed_seeds:
            return "failed"
        if any(not item.unfinished for item in self.skipped):
            return "damaged"
        if self.skipped:
            return "unfinished"
        return "done" if self.records else "failed"

    @property
    def started_at(self) -> str:
        """Return when its last training started, as the record says it; empty where none does."""
        said = [value_at(record.environment, "started_at") for record in (*self.records, *self.failed)]
        return max((text for text in said if isinstance(text, str)), default="")

    @property
    def name(self) -> str:
        """Return how the cell is called in lists: data set, entry and id, or its folder."""
        facts = self.facts
        return f"{facts.dataset} · {facts.entry} ({self.cell_id})" if facts else self.folder.name

    @property
    def learning_rate(self) -> float | None:
        """Return the learning rate, None where the record has none."""
        rate = value_at(self.facts.config, "optimizer.lr") if self.facts else None
        return float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) else None


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The cells under some paths by id, what belongs to none, and what lies twice."""

    cells: dict[str, Cell]
    homeless: list[Skipped]
    copies: list[Overlap]
    conflicts: list[Overlap]


def take_inventory(*paths: Path, check_history: bool = False) -> Inventory:
    """Return what lies under the paths; raises UserError for a path that is no folder."""
    runs = load_records(*paths, check_history=check_history)
    cells: dict[str, Cell] = {}
    for record in (*runs.records, *runs.failed):
        cell = cells.setdefault(record.cell_id, Cell(cell_id=record.cell_id, folder=record.path.parent))
        (cell.records if record.status == "finished" else cell.failed).append(record)
    homeless = []
    for item in runs.skipped:
        folder = item.path.parent
        try:
            cell_id = cell_id_of(folder)
        except UserError:
            homeless.append(item)
            continue
        cells.setdefault(cell_id, Cell(cell_id=cell_id, folder=folder)).skipped.append(item)
    ordered = sorted(cells.values(), key=lambda cell: (str(cell.folder), cell.cell_id))
    return Inventory(
        cells={cell.cell_id: cell for cell in ordered},
        homeless=homeless,
        copies=runs.copies,
        conflicts=runs.conflicts,
    )


def experiments_of(runs_dir: Path) -> tuple[dict[str, dict[str, dict[str, Any]]], list[str]]:
    """Return the sound indexes of a folder's experiments by name, and what is wrong with the others."""
    found, problems = {}, []
    for name in list_experiments(runs_dir):
        try:
            found[name] = read_experiment(runs_dir, name)
        except UserError as error:
            problems.append(str(error))
    sound = {f"{distinct_safe_name(name)}.json" for name in found}
    others = sorted(path for path in (runs_dir / EXPERIMENTS_FOLDER).glob("*.json") if path.name not in sound)
    return found, [*problems, *(f"{path} is no index of an experiment" for path in others)]


def chosen(
    cells: Iterable[Cell],
    *,
    datasets: tuple[str, ...] | None,
    norms: tuple[str, ...] | None,
    asked: set[str] | None,
    experiments: tuple[str, ...] | None,
) -> list[Cell]:
    """Return the cells of these data sets, norms and experiments; `asked` are the cells their indexes name."""
    kept = []
    for cell in cells:
        facts = cell.facts
        if datasets is not None and (facts is None or facts.dataset not in datasets):
            continue
        if norms is not None and (facts is None or facts.norm not in norms):
            continue
        if experiments is not None and asked is not None and cell.cell_id not in asked:
            named = {name for record in (*cell.records, *cell.failed) for name in record.experiments}
            if not named.intersection(experiments):
                continue
        kept.append(cell)
    return kept


def value_at(tree: Mapping[str, Any], dotted: str) -> Any:
    """Return the value at a dotted key of what may be a stranger's mapping, None where there is none."""
    value: Any = tree
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
