"""The tuned track's learning rates, extended on the side where a norm's choice is the edge of what was tried."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnbench.config import Config, learning_rates, typed_config
from bnbench.rate_grid import Side, next_rate
from bnbench.records import Record, canonical_json, load_records
from bnbench.reports import print_lines
from bnbench.scoring import answers

SIDES: tuple[Side, ...] = ("smallest", "largest")


@dataclass(frozen=True)
class TunedJob:
    """A job of the tuned track as it was asked for; jobs of one `workload` differ in norm, or in learning rates."""

    workload: str
    config: Config
    experiment: str
    command: str
    folders: tuple[Path, ...]

    @property
    def norm(self) -> str:
        """Return norm and options as one text."""
        return canonical_json(self.config.norm)


# trains the job at these learning rates; returns the folders of its cells, None where one of them failed
Train = Callable[[TunedJob, Sequence[float]], Sequence[Path] | None]


def tuned_jobs(notes: Sequence[Mapping[str, Any]]) -> list[TunedJob]:
    """Return the jobs of the tuned track that a sweep's notes tell of, wherever they ran; failed ones are left out."""
    return [
        TunedJob(
            workload=note["tuned"]["workload"],
            config=typed_config(note["tuned"]["config"]),
            experiment=note["tuned"]["experiment"],
            command=note["command"],
            folders=tuple(Path(cell["folder"]) for cell in note["cells"]),
        )
        for note in notes
        if note.get("tuned") and not note["refusal"] and not any(cell["error"] for cell in note["cells"])
    ]


def extend_ranges(jobs: Sequence[TunedJob], *, train: Train) -> None:
    """Extend the learning rates of every workload until no norm's choice is the smallest or largest of them.

    One rate per side and round, in the grid's own ratio, for every norm of the workload, so that all have equal trials;
    at most `tuning.max_extensions` per side, and none beyond a rate at which every seed of every norm diverged. All of
    it follows from the records: what was trained before is found again, and an interrupted extension goes on.
    """
    for workload in dict.fromkeys(job.workload for job in jobs):
        _extend([job for job in jobs if job.workload == workload], train=train)


def _extend(jobs: Sequence[TunedJob], *, train: Train) -> None:
    by_norm = {job.norm: job for job in jobs}
    folders = {folder for job in jobs for folder in job.folders}
    rates = sorted({rate for job in jobs for rate in learning_rates(job.config)})
    if len(rates) < 2:
        return
    most = jobs[0].config.tuning.max_extensions
    left = dict.fromkeys(SIDES, most)
    while any(left.values()):
        found = load_records(*sorted(folders)).records
        wanted = {side: names for side in SIDES if left[side] and (names := _at_edge(found, rates, side))}
        if not wanted:
            return
        new = {side: next_rate(rates, side) for side in wanted}
        for side, names in wanted.items():
            left[side] -= 1
            print_lines([_said(jobs[0], rates, new[side], side=side, names=names, times=(most - left[side], most))])
        trained = [train(job, sorted(new.values())) for job in by_norm.values()]
        if any(each is None for each in trained):
            return
        folders.update(folder for each in trained if each is not None for folder in each)
        rates = sorted([*rates, *new.values()])


def _at_edge(records: Sequence[Record], rates: Sequence[float], side: Side) -> list[str]:
    """Return the entries whose choice among the rates is the one on this side; none where all is lost there."""
    edge = min(rates) if side == "smallest" else max(rates)
    seeds = [seed for record in records if record.config["optimizer"]["lr"] == edge for seed in record.seeds]
    if all(seed["status"] == "diverged" for seed in seeds):
        return []
    return [each.entry for found in answers(records) for each in found.contenders if each.choice.rate == edge]


def _said(
    job: TunedJob, rates: Sequence[float], new: float, *, side: Side, names: Sequence[str], times: tuple[int, int]
) -> str:
    edge = min(rates) if side == "smallest" else max(rates)
    those = " and ".join(filter(None, [", ".join(sorted(names)[:-1]), sorted(names)[-1]]))
    return (
        f"{job.config.dataset.name}: lr {edge:g}, the {side} that was tried, suits {those} best: lr {new:g} is added "
        f"for every norm (extension {times[0]} of at most {times[1]} on this side: tuning.max_extensions)"
    )
