"""One plain sentence per table: who is fastest, whether that is real, and who cannot be told from it."""

from collections.abc import Sequence

from bnbench.reports.cells import plain
from bnbench.reports.page.rows import status_of
from bnbench.scoring.board import Row, Workload

MOST_NAMED = 6


def headline(rows: Sequence[Row], workload: Workload, reference: str) -> str:
    """Return the best verdict of a block's rows, sorted by rank, with the entries that share its rank."""
    if workload.target is None:
        return f"There is no {workload.target_level} target, so nothing is ranked by speed."
    if not any(row.is_reference for row in rows):
        return f"The reference {plain(reference)} was not run here, so nothing is compared."
    if len(rows) == 1:
        return f"Only {plain(rows[0].entry)} was run, the reference: there is nothing to compare."
    faster = [row for row in rows if status_of(row) == "faster"]
    if faster:
        best = min(faster, key=lambda row: (row.rank, -(row.speedup.estimate or 0.0)))
        return f"{plain(best.verdict)}{_level_with(best, rows)}"
    if not any(row.hit_rate for row in rows):
        return f"No entry reaches the target within {workload.max_steps:,} steps."
    return f"No entry is shown to be faster than {plain(reference)}.{_slower(rows)}{_closest(rows)}"


def _level_with(best: Row, rows: Sequence[Row]) -> str:
    """The reference is not among them: that the best differs from it was said, by the test made for that."""
    level = [plain(row.entry) for row in rows if row.rank == best.rank and row is not best and not row.is_reference]
    return f" Not told apart from it: {among(_first_of(level))}." if level else ""


def _slower(rows: Sequence[Row]) -> str:
    slower = [plain(row.entry) for row in rows if status_of(row) == "slower"]
    return f" Shown to be slower: {among(_first_of(slower))}." if slower else ""


def _closest(rows: Sequence[Row]) -> str:
    """Return the verdict on the undecided entry that was seen to be the fastest, if any was seen to be faster."""
    ahead = [row for row in rows if status_of(row) == "undecided" and (row.speedup.estimate or 0.0) > 1]
    if not ahead:
        return ""
    closest = max(ahead, key=lambda row: row.speedup.estimate or 0.0)
    return f" Closest: {plain(closest.entry)}: {plain(closest.verdict)}"


def _first_of(names: Sequence[str]) -> list[str]:
    named = list(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        named.append(f"{len(names) - MOST_NAMED} more")
    return named


def among(names: Sequence[str]) -> str:
    """Return names as part of a sentence.

    >>> among(["batch", "layer", "none"])
    'batch, layer and none'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else "nothing"
