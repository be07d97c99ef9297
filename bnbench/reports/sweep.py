"""What a sweep says on the terminal: one line per cell as it ends, and failures with the board at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from bnbench.reports.answer import print_answer
from bnbench.reports.cells import plain
from bnbench.reports.terminal import print_board
from bnbench.scoring.answer import Answer
from bnbench.scoring.board import Board

Note = Mapping[str, Any]
RATE = " · lr="


def print_lines(lines: Sequence[str]) -> None:
    """Print lines that are to be read before training starts; the first is their title."""
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    title, *others = map(plain, lines)
    console.print(Text(title, style="bold"))
    for line in others:
        console.print(Text(f"  {line}" if line else ""))


def print_take_away(code: str | None, lines: Sequence[str]) -> None:
    """Print the code of a winner as it is, and what can be done next."""
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    console.print()
    if code is not None:
        console.print(Text("The winner in PyTorch, to paste:\n", style="bold"))
        console.print(Text(code))
    for line in lines:
        console.print(Text(line))


def print_job(note: Note) -> None:
    """Print one line per cell of a job: what was trained, reused, left to another process, or went wrong."""
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    if note["refusal"]:
        console.print(Text(f"refused: {note['refusal']}", style="red"))
    by_outcome: dict[tuple[str, str], list[str]] = {}
    for cell in note["cells"]:
        name, _, rate = cell["name"].partition(RATE)
        by_outcome.setdefault((name, _outcome(cell)), []).append(rate)
    for (name, outcome), rates in by_outcome.items():
        told = f"{name}{RATE}{', '.join(rates)}" if rates != [""] else name
        console.print(Text(f"{told}: {outcome}", style="red" if "failed: " in outcome else ""))


def _outcome(cell: Mapping[str, Any]) -> str:
    said = []
    if cell["trained"]:
        diverged = f", {len(cell['diverged'])} diverged" if cell["diverged"] else ""
        seconds = f" in {cell['train_seconds']:.1f} s of training"
        resumed = f", gone on from step {cell['resumed_at']}" if cell.get("resumed_at") is not None else ""
        said.append(f"trained {_seeds(cell['trained'])}{seconds}{diverged}{resumed}")
    again = set(cell.get("diagnosed_again", ())) & set(cell["trained"])
    if again:
        said.append(f"{_seeds(sorted(again))} of them finished before, again for their diagnostics: another copy")
    if cell.get("left_out"):
        said.append(f"diagnostics left out: {', '.join(f'{name} ({why})' for name, why in cell['left_out'].items())}")
    if cell.get("preempted"):
        said.append(cell["preempted"])
    said += [f"cannot go on from {problem}; trained from the beginning" for problem in cell.get("anew", ())]
    if cell.get("halved_to"):
        together = cell["halved_to"]
        said.append(f"out of memory: went on with {together} replica{'' if together == 1 else 's'} at a time")
    if cell["reused"]:
        said.append(f"{_seeds(cell['reused'])} already finished{'' if cell['trained'] else ', nothing to train'}")
    if cell["elsewhere"]:
        said.append(f"left to {cell['elsewhere']}, which trains it now: looked at again at the end")
    if cell["removed"]:
        said.append(f"unfinished folders removed, their seeds being trained: {', '.join(cell['removed'])}")
    if cell["error"]:
        said.append(f"failed: {cell['error']}")
    return "; ".join(said)


def _seeds(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} seed{'' if len(seeds) == 1 else 's'}"


def print_sweep(notes: Sequence[Note], board: Board | None, answers: Sequence[Answer] = ()) -> None:
    """Print the answers or the board of a sweep, then every failure with the command that runs only that job again."""
    for answer in answers:
        Console().print()
        print_answer(answer)
    if board is not None and board.entries:
        Console().print()
        print_board(board)
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    cells = [cell for note in notes for cell in note["cells"]]
    if cells and not any(cell["trained"] or cell["error"] for cell in cells):
        console.print("Nothing to train: every seed asked for is already recorded or trains elsewhere.")
    failures = [(note, reason) for note in notes for reason in _failures(note)]
    if len({note["refusal"] for note in notes}) == 1 and notes[0]["refusal"] and not notes[0].get("lost"):
        return  # all for one reason, the only thing on the screen: what goes on from here is the same command
    if failures:
        console.print(Text(f"\n{len(failures)} failed:", style="red"))
    for note, reason in failures:
        console.print(Text(f"  {reason}\n    again: {note['command']}"))


def _failures(note: Note) -> list[str]:
    refused = [note["refusal"]] if note["refusal"] else []
    return refused + [
        f"{cell['name']}: {cell['error']}\n    traceback: {cell['record_of_error']}"
        for cell in note["cells"]
        if cell["error"]
    ]
