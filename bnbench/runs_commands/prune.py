"""`bnbench.runs prune`: what nobody needs any more is shown with reason and size, then removed if that is wanted."""

from pathlib import Path

from bnbench.command_line import FAILED, FINE
from bnbench.errors import UserError
from bnbench.records import atomic, cell_lock
from bnbench.reports.cells import plain
from bnbench.runs_commands.answer import Answer, number_of, section, table
from bnbench.runs_commands.removable import Item, find_removable, remove_item

HEADER = ("what", "why", "size")


def plan(runs_dir: Path) -> tuple[list[Item], list[str]]:
    """Return what may be removed, and what looks like it and stays, with the reason."""
    return find_removable(runs_dir)


def shown(items: list[Item], kept: list[str], *, runs_dir: Path) -> Answer:
    """Return the plan as it is shown before anything is asked."""
    rows = [(str(item.path.relative_to(runs_dir)), item.reason, size_text(item.size_bytes)) for item in items]
    total = sum(item.size_bytes for item in items)
    lines = [f"{runs_dir}: {number_of(len(items), 'thing')} to remove, {size_text(total)}"]
    lines += section("To remove", table(HEADER, rows) if rows else [])
    lines += section("Stays", [plain(text) for text in kept])
    data = {
        "runs_dir": str(runs_dir),
        "to_remove": [{"path": str(item.path), "why": item.reason, "size_bytes": item.size_bytes} for item in items],
        "stays": kept,
    }
    return Answer(lines=lines, data=data)


def carry_out(items: list[Item], *, runs_dir: Path) -> Answer:
    """Remove what is still removable, each under the lock of its cell; the code is 1 if something had to stay."""
    removed, stayed = [], []
    for item in items:
        try:
            problem = _remove(item)
        except (OSError, UserError) as error:
            problem = str(error)
        if problem:
            stayed.append(plain(f"{item.path}: {problem}"))
        else:
            removed.append(item)
    size = size_text(sum(item.size_bytes for item in removed))
    lines = [f"{runs_dir}: {number_of(len(removed), 'thing')} removed, {size}", *section("Not removed", stayed)]
    data = {"removed": [str(item.path) for item in removed], "not_removed": stayed}
    return Answer(lines=lines, data=data, code=FAILED if stayed else FINE)


def _remove(item: Item) -> str:
    """Return why the item stays, "" once it is gone."""
    if item.cell_folder is None:
        return remove_item(item)
    with cell_lock(item.cell_folder) as acquired:
        if not acquired:
            return "another process trains this cell now"
        problem = remove_item(item)
        if not problem and item.path.parent == item.cell_folder and not any(item.cell_folder.iterdir()):
            item.cell_folder.rmdir()
            atomic.sync_folder(item.cell_folder.parent)
        return problem


def size_text(size_bytes: int) -> str:
    """Return a size for people.

    >>> size_text(999), size_text(2_500_000)
    ('999 B', '2.5 MB')
    """
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("the last unit takes every size")
