"""Where the page's numbers come from: commands, versions and hardware of the records, and what was left out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bnbench.reports.cells import plain
from bnbench.scoring.board import Board

NOT_TOLD = "not recorded"


@dataclass(frozen=True)
class Provenance:
    """What the section shows; each count is a number of records."""

    commands: tuple[tuple[str, int], ...]
    versions: tuple[tuple[str, int], ...]
    hardware: tuple[tuple[str, int], ...]
    commits: tuple[tuple[str, int], ...]
    costs: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class SkippedGroup:
    """Everything that was left out for one reason."""

    reason: str
    paths: tuple[str, ...]


def provenance(board: Board) -> Provenance:
    """Return what made the records that count, each distinct thing once."""
    return Provenance(
        commands=_counted(run.command for run in board.runs),
        versions=_counted(
            ", ".join(f"{name} {version}" for name, version in run.versions if version) for run in board.runs
        ),
        hardware=_counted(run.hardware for run in board.runs),
        commits=_counted(run.commit for run in board.runs),
        costs=_counted(f"{row.cost.hardware}, {row.cost.measured_at}" for row in board.entries if row.cost is not None),
    )


def skipped_groups(board: Board) -> list[SkippedGroup]:
    """Return what was left out by reason, all of it."""
    by_reason: dict[str, list[str]] = {}
    for item in board.skipped:
        by_reason.setdefault(plain(item.reason), []).append(plain(str(item.path)))
    return [SkippedGroup(reason, tuple(paths)) for reason, paths in by_reason.items()]


def _counted(texts: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(plain(text) or NOT_TOLD for text in texts).items())
