"""From a word of the command line to the cell it means."""

from pathlib import Path

from bnbench.command_line import BadUsageError
from bnbench.errors import nearest
from bnbench.runs_commands.inventory import Cell, take_inventory


def find_cell(word: str, *, runs_dir: Path) -> Cell:
    """Return the cell that a path, the beginning of an id, or the beginning of a folder's name means.

    Raises BadUsageError where none or several begin so.
    """
    path = Path(word)
    if path.is_dir():
        return _only(list(take_inventory(path).cells.values()), word=word)
    cells = take_inventory(runs_dir).cells
    if word in cells:
        return cells[word]
    found = [cell for cell in cells.values() if cell.cell_id.startswith(word) or cell.folder.name.startswith(word)]
    if not found:
        known = [cell.folder.name if "-" in word else cell.cell_id for cell in cells.values()]
        if not known:
            raise BadUsageError(f"{runs_dir} holds no cell; expected a folder of runs")
        raise BadUsageError(f"no cell of {runs_dir} begins with {word!r}; {nearest(word, known)}")
    return _only(found, word=word)


def _only(found: list[Cell], *, word: str) -> Cell:
    if not found:
        raise BadUsageError(f"{word} holds no record and no cell")
    if len(found) > 1:
        listed = ", ".join(cell.folder.name for cell in found[:8])
        more = f", … ({len(found)} in all)" if len(found) > 8 else ""
        raise BadUsageError(f"{word!r} means {len(found)} cells; name one of them: {listed}{more}")
    return found[0]
