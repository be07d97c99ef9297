"""Records that another record holds bit for bit: which of them may go without a number being lost."""

from pathlib import Path

from bnbench.records import Record, Runs
from bnbench.records.check import read_record
from bnbench.records.overlap import Results, same_results

# what two copies may differ in: when, where and for whom the same numbers were trained
_OF_THE_TRAINING = {"timing", "environment", "config", "seeds", "rows", "experiments", "error", "diagnostics"}


def removable_copies(runs: Runs, runs_dir: Path) -> list[tuple[Record, Record]]:
    """Return (copy, original) pairs: all seeds of the copy stand in the original, which stays."""
    found: list[tuple[Record, Record]] = []
    needed: set[Path] = set()
    gone: set[Path] = set()
    for overlap in runs.copies:
        for copy_path, original_path in ((overlap.path, overlap.kept), (overlap.kept, overlap.path)):
            if copy_path in needed | gone or original_path in gone or runs_dir not in original_path.parents:
                continue
            copy, original = read_record(copy_path), read_record(original_path)
            if isinstance(copy, Record) and isinstance(original, Record) and not still_a_copy(copy, original):
                found.append((copy, original))
                gone.add(copy_path)
                needed.add(original_path)
                break
    return found


def still_a_copy(copy: Record, original: Record) -> str:
    """Return what speaks against calling one record an exact copy of part of another, read anew; "" if nothing."""
    one, other = read_record(copy.path), read_record(original.path)
    if not isinstance(one, Record) or not isinstance(other, Record) or {one.status, other.status} != {"finished"}:
        return "one of the two cannot be read as a finished record"
    if copy.path.samefile(original.path):
        return "it is the same folder"
    seeds = {entry["seed"] for entry in one.raw["seeds"]}
    if not seeds <= {entry["seed"] for entry in other.raw["seeds"]}:
        return f"{other.path} does not hold all of its seeds"
    if any(one.raw[key] != other.raw[key] for key in one.raw.keys() - _OF_THE_TRAINING):
        return f"{other.path} says something else of the cell"
    if not one.asked_diagnostics <= other.asked_diagnostics:
        return f"{other.path} has fewer diagnostics"
    if not set(one.experiments) <= set(other.experiments):
        return f"{other.path} belongs to fewer experiments"
    same = same_results(Results.of(one), Results.of(other), seeds)
    return "" if all(same.values()) else f"{other.path} holds other results"
