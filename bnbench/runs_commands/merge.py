"""`bnbench.runs merge`: the folders of several machines become one; nothing is overwritten, theirs stay as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bnbench.command_line import FAILED, FINE, BadUsageError
from bnbench.records import add_cells, atomic, load_records
from bnbench.records.check import read_json
from bnbench.records.layout import COSTS_FOLDER, TARGETS_FOLDER
from bnbench.reports.cells import plain
from bnbench.runs_commands.answer import Answer, few, number_of, section
from bnbench.runs_commands.inventory import experiments_of
from bnbench.runs_commands.merge_record import Merged, merge_record


def merge(sources: Sequence[Path], *, into: Path) -> Answer:
    """Copy what `sources` hold into one folder of runs; the code is 1 if anything conflicts or was left out.

    May be killed and repeated at any time: what is there already is not copied again.

    Raises UserError if a source is no folder or the destination cannot be written, BadUsageError if one lies in the
    other.
    """
    for source in sources:
        _check_apart(source, into)
    merged = Merged()
    atomic.make_folder(into)
    for source in sources:
        _merge_one(source, into, merged)
    counts = (
        f"{number_of(len(merged.copied), 'record')} copied",
        f"{number_of(len(merged.same), 'record')} already there with the same results",
        f"{number_of(len(merged.other_files), 'other file')} copied or united",
    )
    lines = [f"{into}: {', '.join(counts)}"]
    for title, items in (
        ("Conflicts, left as they are in both folders", merged.conflicts),
        ("Left out", merged.left_out),
        ("Unfinished there, not copied", merged.unfinished),
    ):
        lines += section(f"{title} ({len(items)})", few([plain(item) for item in items]))
    data = {
        "into": str(into),
        "copied": merged.copied,
        "already_there": merged.same,
        "other_files": merged.other_files,
        "conflicts": merged.conflicts,
        "left_out": merged.left_out,
        "unfinished": merged.unfinished,
    }
    return Answer(lines=lines, data=data, code=FAILED if merged.conflicts or merged.left_out else FINE)


def _check_apart(source: Path, into: Path) -> None:
    one, other = source.resolve(), into.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise BadUsageError(f"--into {into} and {source} lie in each other; expected two separate folders")


def _merge_one(source: Path, into: Path, merged: Merged) -> None:
    runs = load_records(source)
    for record in (*runs.records, *runs.failed):
        merge_record(record, into, merged)
    for item in runs.skipped:
        (merged.unfinished if item.unfinished else merged.left_out).append(f"{item.path}: {item.reason}")
    merged.conflicts += [f"{overlap.path}: {overlap.reason}" for overlap in runs.conflicts]
    indexes, problems = experiments_of(source)
    merged.left_out += problems
    for name, cells in indexes.items():
        _unite(into, name, cells, merged)
    for folder in (TARGETS_FOLDER, COSTS_FOLDER):
        _copy_files(source / folder, into / folder, merged)


def _unite(into: Path, name: str, cells: dict[str, dict[str, Any]], merged: Merged) -> None:
    there, _ = experiments_of(into)  # a damaged index is refused by add_cells
    before = there.get(name, {})
    missing = {
        cell_id: cell
        for cell_id, cell in cells.items()
        if cell_id not in before or any(_more(cell, before[cell_id], key) for key in ("seeds", "tracks"))
    }
    if missing:
        merged.other_files.append(str(add_cells(into, name, missing)))


def _more(cell: dict[str, Any], before: dict[str, Any], key: str) -> bool:
    return not set(cell.get(key, ())) <= set(before.get(key, ()))


def _copy_files(source: Path, into: Path, merged: Merged) -> None:
    """Copy the JSON files of a folder that are not there yet; one with another content is a conflict.

    A stranger's link may point to what its reader would not give away, so that none is followed.
    """
    if source.is_symlink():
        merged.left_out.append(f"{source}: it is a link, and links are not followed")
        return
    if not source.is_dir():
        return
    for path in sorted(source.glob("*.json")):
        if path.is_symlink():
            merged.left_out.append(f"{path}: it is a link, and links are not followed")
            continue
        content = read_json(path)
        if path.name.startswith(".") or not isinstance(content, dict):
            merged.left_out.append(f"{path}: {content}")
            continue
        there = read_json(into / path.name)
        if there is None:
            atomic.make_folder(into)
            atomic.write_atomically(into / path.name, path.read_bytes())
            merged.other_files.append(str(into / path.name))
        elif there != content:
            merged.conflicts.append(f"{path}: {into / path.name} holds something else, and stays")
