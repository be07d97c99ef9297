"""`python -m bnbench.leaderboard`: read runs, score them, show the board. Never imports torch, lightning or hydra."""

import argparse
import gc
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from pathlib import Path

from bnbench import command_line
from bnbench.command_line import BAD_USAGE, FAILED, FINE, names, run_command
from bnbench.errors import UserError
from bnbench.records.atomic import write_atomically
from bnbench.records.costs import load_costs
from bnbench.records.read import load_records
from bnbench.reports import print_board, to_csv, to_json, to_markdown, to_text
from bnbench.scoring import Board, score
from bnbench.scoring.asked import of_all_experiments, of_experiments
from bnbench.scoring.score import ALL_LEVELS, LEVELS
from bnbench.scoring.tracks import TRACKS
from bnbench.secret_values import masked_override

complain = partial(command_line.complain, "bnbench.leaderboard")


def to_page(board: Board) -> str:
    """Return the board as one HTML page."""
    from bnbench.reports.page import to_html  # noqa: PLC0415  the templates and the chart library cost start-up time

    return to_html(board)


FORMATS: dict[str, Callable[[Board], str]] = {
    "table": to_text,
    "json": to_json,
    "csv": to_csv,
    "markdown": to_markdown,
    "html": to_page,
}
# Those that show the details of a row only when asked; the others always hold them.
DETAILED = {"table": to_text, "markdown": to_markdown}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 fine, 1 something failed, 2 bad usage."""
    options = parser().parse_args(arguments)
    if options.format == "html" and options.output is None and sys.stdout.isatty():
        return complain("a page is megabytes of HTML, nothing for a terminal; add --output board.html", code=BAD_USAGE)
    collecting = gc.isenabled()
    gc.disable()  # what is read stays until the board is written: looking for garbage takes a fifth of the time
    try:
        return run_command(partial(show, options), complain, debug=options.debug)
    finally:
        if collecting:
            gc.enable()


def show(options: argparse.Namespace) -> int:
    """Load, score and write as the options say."""
    runs = load_records(*options.runs_dirs, check_history=False)  # scoring reads every history itself, and checks it
    if runs.copies or runs.conflicts:
        runs = load_records(*options.runs_dirs)  # a damaged copy must not stand in for a sound one
    try:
        if options.experiment is not None:
            runs = of_experiments(runs, options.runs_dirs, options.experiment)
        else:
            runs = of_all_experiments(runs, options.runs_dirs)
        board = score(
            runs,
            target=options.target,
            level=options.level,
            track=options.track,
            reference=options.reference,
            norms=options.norm,
            datasets=options.dataset,
            costs=load_costs(*options.runs_dirs),
            curves=options.format == "html" or options.wandb,
        )
    except UserError as error:
        if options.debug:
            raise
        return complain(str(error), code=BAD_USAGE)
    deliver(board, form=options.format, output=options.output, everything=options.columns == "all")
    if board.entries and options.wandb:
        sys.stderr.write(f"{mirrored(board, options)}\n")
    if not board.entries:
        where = ", ".join(map(str, options.runs_dirs))
        return complain(
            f"no run to rank in {where}; train some: python -m bnbench.train +experiment=quickstart -m", code=FAILED
        )
    return FINE


def deliver(board: Board, *, form: str, output: Path | None, everything: bool = False) -> None:
    """Write the board to `output`, or to standard output; with `everything` the details of its rows, too."""
    written = partial(DETAILED[form], everything=everything) if form in DETAILED else FORMATS[form]
    if output is not None:
        if output.is_dir():
            raise UserError(f"cannot write --output {output}: it is a folder")
        try:
            write_atomically(output, written(board).encode(errors="replace"))
        except UserError as error:
            reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
            raise UserError(f"cannot write --output {output}: {reason}") from error
    elif form == "table":
        print_board(board, everything=everything)
    else:
        sys.stdout.write(written(board))
    sys.stdout.flush()


def mirrored(board: Board, options: argparse.Namespace) -> str:
    """Log the board to Weights & Biases and return the line that says where it is."""
    from bnbench.reports.weights_and_biases import log_board  # noqa: PLC0415  a second of start-up, only where asked

    folder: Path = options.runs_dirs[0]
    command = shlex.join(["python", "-m", "bnbench.leaderboard", *map(masked_override, sys.argv[1:])])
    return log_board(board, project=options.wandb_project, entity=options.wandb_entity, folder=folder, command=command)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog="python -m bnbench.leaderboard",
        description="Rank normalization layers by recorded runs: which is first at the target, and is it real?",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("runs_dirs", nargs="*", type=Path, default=[Path("runs")], metavar="RUNS_DIR", help="default: runs")
    goal = made.add_mutually_exclusive_group()
    goal.add_argument("--target", type=finite, metavar="X", help="metric value that counts as reached, e.g. 0.95")
    goal.add_argument("--level", choices=(*LEVELS, ALL_LEVELS), default="hard", help="target ladder (default: hard)")
    add("--track", choices=TRACKS, help="recipe: every learning rate by itself; tuned: each norm at its own")
    add("--reference", default="none", metavar="ENTRY", help="what speed-ups are measured against (default: none)")
    add("--norm", type=names, metavar="A,B", help="show only these norms, and the reference")
    add("--dataset", type=names, metavar="A,B", help="only these data sets")
    add("--experiment", type=names, metavar="A,B", help="only runs of these experiments")
    add("--columns", choices=("first", "all"), default="first", help="all: also the details of every row")
    add("--format", choices=tuple(FORMATS), default="table", help="default: table")
    add("--output", type=Path, metavar="FILE", help="write to this file instead of the terminal")
    add("--wandb", action="store_true", help="also log the board to Weights & Biases (offline unless logged in)")
    add("--wandb-project", default="bnbench", metavar="NAME", help="default: bnbench")
    add("--wandb-entity", metavar="NAME", help="team or user (default: your own)")
    add("--debug", action="store_true", help="show the traceback of an error")
    return made


def finite(text: str) -> float:
    """Return the number in `text`; argparse reports the ValueError as bad usage."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
