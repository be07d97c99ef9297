"""`python -m bnbench.runs`: look at recorded runs, compare, merge and tidy them. Never imports torch or hydra."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bnbench import command_line
from bnbench.command_line import BAD_USAGE, FINE, BadUsageError, names, run_command
from bnbench.errors import UserError
from bnbench.runs_commands import prune
from bnbench.runs_commands.answer import Answer
from bnbench.runs_commands.difference import diff_cells
from bnbench.runs_commands.find import find_cell
from bnbench.runs_commands.listing import list_cells
from bnbench.runs_commands.merge import merge
from bnbench.runs_commands.showing import show_cell
from bnbench.runs_commands.status import status_of

RUNS_DIR = Path("runs")
complain = partial(command_line.complain, "bnbench.runs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 fine, 1 something failed, 2 bad usage."""
    options = parser().parse_args(arguments)
    interrupted = "interrupted; the same command goes on from here"
    return run_command(partial(run, options), complain, debug=options.debug, interrupted=interrupted)


def run(options: argparse.Namespace) -> int:
    """Do what the options say and return the exit code."""
    if options.command == "prune":
        return run_prune(options)
    if options.command == "list":
        try:
            chosen = {"datasets": options.dataset, "norms": options.norm, "experiments": options.experiment}
            return tell(list_cells(options.runs_dir, **chosen), options)
        except UserError as error:
            raise BadUsageError(str(error)) from error
    if options.command == "status":
        return tell(status_of(options.runs_dir), options)
    if options.command == "merge":
        return tell(merge(options.sources, into=options.into), options)
    wanted = 1 if options.command == "show" else 2
    runs_dir, cells = words(options.words, wanted=wanted, command=options.command)
    found = [find_cell(word, runs_dir=runs_dir) for word in cells]
    if options.command == "show":
        return tell(show_cell(found[0], traceback=options.traceback), options)
    return tell(diff_cells(found[0], found[1]), options)


def run_prune(options: argparse.Namespace) -> int:
    """Show what would go, ask, and remove it."""
    items, kept = prune.plan(options.runs_dir)
    plan = prune.shown(items, kept, runs_dir=options.runs_dir)
    if not items:
        return tell(plan, options)
    if options.yes:
        if not options.json:
            tell(plan, options)
        return tell(prune.carry_out(items, runs_dir=options.runs_dir), options)
    tell(plan, options)
    if not sys.stdin.isatty():
        return complain("nothing removed: no terminal to ask at; repeat with --yes", code=BAD_USAGE)
    sys.stdout.write("Remove all of this? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        sys.stdout.write("Nothing removed.\n")
        return FINE
    return tell(prune.carry_out(items, runs_dir=options.runs_dir), options)


def words(given: Sequence[str], *, wanted: int, command: str) -> tuple[Path, list[str]]:
    """Return the folder of runs, where one stands in front, and the cells; raises BadUsageError for another number."""
    if len(given) == wanted:
        return RUNS_DIR, list(given)
    if len(given) != wanted + 1:
        cells = "a cell" if wanted == 1 else "two cells"
        raise BadUsageError(f"{command} takes [RUNS_DIR] and {cells}, by id or path; got {len(given)} words")
    if not Path(given[0]).is_dir():
        raise BadUsageError(f"{given[0]} is no folder; expected a folder of runs")
    return Path(given[0]), list(given[1:])


def tell(answer: Answer, options: argparse.Namespace) -> int:
    """Write an answer to standard output and return its code."""
    text = json.dumps(answer.data, indent=1) if options.json else "\n".join(answer.lines)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return answer.code


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog="python -m bnbench.runs",
        description="Look at recorded runs, compare two cells, merge folders, and remove what nobody needs.",
        allow_abbrev=False,
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
        added.add_argument("--json", action="store_true", help="the same as JSON")
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return added

    status = command("status", "what is done, trains now, failed or is unfinished")
    listing = command("list", "one line per cell")
    pruning = command("prune", "show what nobody needs any more, ask, and remove it")
    for one in (status, listing, pruning):
        one.add_argument("runs_dir", nargs="?", type=Path, default=RUNS_DIR, metavar="RUNS_DIR", help="default: runs")
    for name in ("dataset", "norm", "experiment"):
        listing.add_argument(f"--{name}", type=names, metavar="A,B", help=f"only these {name}s")
    pruning.add_argument("--yes", action="store_true", help="remove without asking")
    showing = command("show", "everything that is recorded of one cell")
    showing.add_argument("words", nargs="+", metavar="[RUNS_DIR] CELL", help="the beginning of a cell's id, or a path")
    showing.add_argument("--traceback", action="store_true", help="with the traceback of failures")
    comparing = command("diff", "what differs between two cells, and why they are two")
    comparing.add_argument("words", nargs="+", metavar="[RUNS_DIR] CELL CELL", help="beginnings of ids, or paths")
    merging = command("merge", "copy the records of several folders into one; nothing is ever overwritten")
    merging.add_argument("sources", nargs="+", type=Path, metavar="FROM", help="folders of runs, left as they are")
    merging.add_argument("--into", type=Path, required=True, metavar="DIR", help="the folder to copy into")
    return made


if __name__ == "__main__":
    sys.exit(main())
