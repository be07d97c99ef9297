"""`python -m bnbench.cost`: measure what the entries of recorded runs cost on this machine, and show it."""

import argparse
import shlex
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bnbench import command_line
from bnbench.command_line import BAD_USAGE, FAILED, FINE, names, run_command
from bnbench.errors import UserError
from bnbench.records import Record, Runs, Skipped, load_costs, load_records
from bnbench.reports.cells import plain
from bnbench.reports.costs import cost_tables, costs_to_json, print_costs
from bnbench.scoring.asked import of_experiments
from bnbench.scoring.score import require_known

ROUNDS = 15
# a round beyond those takes as long as each of them
MOST_ROUNDS = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 fine, 1 something failed, 2 bad usage."""
    options = parser().parse_args(arguments)
    interrupted = "interrupted; what was measured is kept, and the same command goes on from here"
    return run_command(partial(work, options), complain, debug=options.debug, interrupted=interrupted)


def work(options: argparse.Namespace) -> int:
    """Choose the records, measure what has no cost yet, and show all costs."""
    try:
        runs = load_records(*options.runs_dirs, check_history=False)
        records = chosen(runs, options)
    except UserError as error:
        if options.debug:
            raise
        return complain(str(error), code=BAD_USAGE)
    if not records:
        tell_skipped(runs.skipped)
        where = ", ".join(map(str, options.runs_dirs))
        hint = "train some: python -m bnbench.train +experiment=quickstart -m"
        return complain(f"no run to measure in {where}; {hint}", code=FAILED)
    failures = measure(records, options)
    costs = load_costs(*dict.fromkeys(record.path.parent.parent for record in records))
    skipped = [*runs.skipped, *costs.skipped]
    tables = cost_tables(records, costs)
    if options.format == "json":
        sys.stdout.write(costs_to_json(tables, failures=failures, skipped=skipped))
    else:
        print_costs(tables)
        tell_skipped(skipped)
    sys.stdout.flush()
    for failure in failures:
        complain(f"not measured: {failure}", code=FAILED)
    return FAILED if failures else FINE


def chosen(runs: Runs, options: argparse.Namespace) -> list[Record]:
    """Return the records that the options ask for; raises UserError for a name that is in none of them."""
    if options.experiment is not None:
        runs = of_experiments(runs, options.runs_dirs, options.experiment)
    require_known("norm", options.norm, {record.norm for record in runs.records})
    require_known("dataset", options.dataset, {record.dataset for record in runs.records})
    return [
        record
        for record in runs.records
        if (options.norm is None or record.norm in options.norm)
        and (options.dataset is None or record.dataset in options.dataset)
    ]


def measure(records: Sequence[Record], options: argparse.Namespace) -> list[str]:
    """Measure what has no cost on this machine, and return what could not be."""
    from bnbench.training.costs import USUAL_EFFORT, measure_missing  # noqa: PLC0415  # --help need not wait for torch

    warnings.filterwarnings("ignore", module="lightning")
    outcome = measure_missing(
        records,
        command=shlex.join(["python", "-m", "bnbench.cost", *sys.argv[1:]]),
        again=options.again,
        effort=USUAL_EFFORT.of_rounds(options.rounds),
        say=lambda line: sys.stderr.write(f"{plain(line)}\n"),
    )
    return outcome.failures


def tell_skipped(skipped: Sequence[Skipped]) -> None:
    """Say on standard error what was not read, and why."""
    sys.stderr.writelines(f"not counted: {plain(str(each.path))}: {plain(each.reason)}\n" for each in skipped)


def complain(message: str, *, code: int) -> int:
    """Write one line to standard error and return the exit code."""
    return command_line.complain("bnbench.cost", plain(message), code=code)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog="python -m bnbench.cost",
        description="Measure what the entries of recorded runs cost on this machine: a training step, inference, "
        "memory, parameters, each alone, in turn with the others and beside the entry 'none'. Workloads of which every "
        "entry was measured here are only shown. Norms and models are imported by the class paths that the records "
        "name: only for runs that you trust.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("runs_dirs", nargs="*", type=Path, default=[Path("runs")], metavar="RUNS_DIR", help="default: runs")
    add("--experiment", type=names, metavar="A,B", help="only runs of these experiments")
    add("--dataset", type=names, metavar="A,B", help="only these data sets")
    add("--norm", type=names, metavar="A,B", help="only these norms; 'none' is always measured beside them")
    add("--again", action="store_true", help="measure also what was measured here before")
    add("--rounds", type=rounds, default=ROUNDS, metavar="N", help=f"turns of every entry (default: {ROUNDS})")
    add("--format", choices=("table", "json"), default="table", help="default: table")
    add("--debug", action="store_true", help="show the traceback of an error")
    return made


def rounds(text: str) -> int:
    """Return a number of rounds; argparse reports the errors as bad usage."""
    number = int(text)
    if not 1 <= number <= MOST_ROUNDS:
        raise argparse.ArgumentTypeError(f"{number}: expected a whole number from 1 to {MOST_ROUNDS}")
    return number


if __name__ == "__main__":
    sys.exit(main())
