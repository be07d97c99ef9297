"""The tuned track's learning rates, extended on the side where a norm's choice is the edge of what was tried."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnbench.config import Config, learning_rates, typed_config
from bnbench.rate_grid import Side, next_rate
from bnbench.records import Record, canonical_json, load_records
from bnbench.records.layout import safe_name
from bnbench.reports import print_lines
from bnbench.scoring import answers
from bnbench.scoring.tracks import learning_rate, tuned_records

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
    at most `tuning.max_extensions` per side, and none beyond a rate at which every seed of every norm diverged. A norm
    that comes later has the rates that those before it were extended to, whether or not it asks for them. All of it
    follows from the records: what was trained before is found again, and an interrupted extension goes on.
    """
    for workload in dict.fromkeys(job.workload for job in jobs):
        _extend([job for job in jobs if job.workload == workload], train=train)


def _extend(jobs: Sequence[TunedJob], *, train: Train) -> None:
    by_norm = {job.norm: job for job in jobs}
    folders = {folder for job in jobs for folder in job.folders}
    rates = sorted({rate for job in jobs for rate in learning_rates(job.config)})
    if len(rates) < 2:
        return
    before = _tried_before(jobs[0])
    most = jobs[0].config.tuning.max_extensions
    left = dict.fromkeys(SIDES, most)
    while any(left.values()):
        found = load_records(*sorted(folders)).records
        why = {side: _reason(found, before, rates, side) for side in SIDES if left[side]}
        new = {side: next_rate(rates, side) for side, reason in why.items() if reason}
        if not new:
            return
        for side, rate in new.items():
            left[side] -= 1
            said = (
                f"{jobs[0].config.dataset.name}: {why[side]}: lr {rate:g} is added for every norm "
                f"(extension {most - left[side]} of at most {most} on this side: tuning.max_extensions)"
            )
            print_lines([said])
        trained = [train(job, sorted(new.values())) for job in by_norm.values()]
        if any(each is None for each in trained):
            return
        folders.update(folder for each in trained if each is not None for folder in each)
        rates = sorted([*rates, *new.values()])


def _tried_before(job: TunedJob) -> dict[float, set[str]]:
    """Return for which entries a learning rate was tried on this workload in this folder, by whatever sweep."""
    cells = [
        path
        for runs_dir in {folder.parent for folder in job.folders}
        for path in runs_dir.glob(f"{safe_name(job.config.dataset.name)}-*")
        if path.is_dir()
    ]
    records, _ = tuned_records(load_records(*sorted(cells), check_history=False).records)
    found: dict[float, set[str]] = {}
    for record in records:
        rate = learning_rate(record)
        if record.workload_id == job.workload and rate is not None:
            found.setdefault(rate, set()).add(record.entry)
    return found


def _reason(
    found: Sequence[Record], before: Mapping[float, set[str]], rates: Sequence[float], side: Side
) -> str | None:
    """Return why the rates go on on this side, None where they end: a norm's choice, or what others had already."""
    edge, beyond = (min(rates) if side == "smallest" else max(rates)), next_rate(rates, side)
    if names := _at_edge(found, rates, side):
        return f"lr {edge:g}, the {side} that was tried, suits {_listed(names)} best"
    if beyond in before:
        return f"lr {beyond:g} was tried for {_listed(before[beyond])} before, and trials are to be equal"
    return None


def _at_edge(records: Sequence[Record], rates: Sequence[float], side: Side) -> list[str]:
    """Return the entries whose choice among the rates is the one on this side; none where all is lost there."""
    edge = min(rates) if side == "smallest" else max(rates)
    seeds = [seed for record in records if record.config["optimizer"]["lr"] == edge for seed in record.seeds]
    if all(seed["status"] == "diverged" for seed in seeds):
        return []
    return [each.entry for found in answers(records) for each in found.contenders if each.choice.rate == edge]


def _listed(names: Iterable[str]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}" if others else last
