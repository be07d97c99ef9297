"""Which runs an experiment asked for, and in which tracks: from its index, wherever the cells were trained first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bnbench.errors import UserError
from bnbench.records.experiments import list_experiments, read_experiment
from bnbench.records.layout import EXPERIMENTS_FOLDER
from bnbench.records.read import Runs
from bnbench.records.record import Skipped
from bnbench.records.tracks import in_tracks, tracks_by_cell, united
from bnbench.scoring.score import require_known
from bnbench.scoring.tracks import TRACKS


def of_experiments(runs: Runs, runs_dirs: Sequence[Path], experiments: Sequence[str]) -> Runs:
    """Return the runs with only the cells and seeds that the experiments asked for, by their indexes or the records.

    They count in the tracks that were asked for, whatever they were trained for first.
    """
    indexed = {folder: set(list_experiments(folder)) for folder in runs_dirs}
    recorded = {name for record in runs.records for name in record.experiments}
    require_known("experiment", experiments, recorded.union(*indexed.values()))
    asked: dict[str, set[int]] = {}
    holders: dict[str, set[str]] = {}
    tracks: list[dict[str, list[str]]] = []
    for folder, known in indexed.items():
        for name in known.intersection(experiments):
            cells = read_experiment(folder, name)
            tracks.append(asked_tracks(cells))
            for cell_id, cell in cells.items():
                asked.setdefault(cell_id, set()).update(cell["seeds"])
                holders.setdefault(cell_id, set()).add(name)
    records = []
    for record in runs.records:
        if record.cell_id in asked:
            seeds = [seed for seed in record.seeds if seed["seed"] in asked[record.cell_id]]
        else:
            seeds = record.seeds if set(experiments).intersection(record.experiments) else []
        if seeds:
            # another version of the suite may have trained it; here it counts for those that were asked for
            own = set(experiments).intersection(holders.get(record.cell_id, ())) or set(experiments).intersection(
                record.experiments
            )
            records.append(replace(record, seeds=seeds, experiments=sorted(own)))
    return replace(runs, records=in_tracks(records, united(*tracks)))


def of_all_experiments(runs: Runs, runs_dirs: Sequence[Path]) -> Runs:
    """Return the runs, each in the tracks it was trained for and in those that an experiment asked for since.

    An index that cannot be read takes nothing else from the board: it is told among what was skipped.
    """
    indexes = []
    damaged = []
    for folder in runs_dirs:
        for name in list_experiments(folder):
            try:
                indexes.append(asked_tracks(read_experiment(folder, name)))
            except UserError as error:
                damaged.append(Skipped(folder / EXPERIMENTS_FOLDER, f"{error}; its tracks are not known"))
    records = in_tracks(runs.records, united(tracks_by_cell(runs.records), *indexes))
    return replace(runs, records=records, skipped=[*runs.skipped, *damaged])


def asked_tracks(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the tracks of the cells of an experiment's index; one of an older release names none."""
    known = {cell_id: [track for track in cell.get("tracks", []) if track in TRACKS] for cell_id, cell in cells.items()}
    return {cell_id: tracks for cell_id, tracks in known.items() if tracks}
