"""`python -m bnbench.claims`: the published claims, what became of them here, and the report."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bnbench import command_line
from bnbench.claims.claim import Size
from bnbench.claims.finding import ALL, claim_ids, ids_of, load_claim
from bnbench.claims.printing import catalogue_data, outcomes_data, print_catalogue, print_outcomes
from bnbench.claims.report import write_report
from bnbench.claims.running import run_claims
from bnbench.command_line import FAILED, FINE, BadUsageError, run_command
from bnbench.errors import UserError

RUNS_DIR = Path("runs")
complain = partial(command_line.complain, "bnbench.claims")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 fine, whatever the verdicts; 1 something failed; 2 bad usage."""
    options = parser().parse_args(arguments)
    interrupted = "interrupted; the same command goes on from here"
    return run_command(partial(run, options), complain, debug=options.debug, interrupted=interrupted)


def run(options: argparse.Namespace) -> int:
    """Do what the options say and return the exit code."""
    if options.command == "list":
        return show_catalogue(as_json=options.json)
    if options.command == "run":
        return measure(options)
    for line in write_report(options.runs_dir, markdown=options.markdown, page=options.page):
        tell(line)
    return FINE


def show_catalogue(*, as_json: bool) -> int:
    """Print every claim of the catalogue; a file that cannot be read is named, and 1 returned."""
    claims, broken = [], []
    for claim_id in claim_ids():
        try:
            claims.append(load_claim(claim_id))
        except Exception as error:  # whatever stands in one file, the others are shown
            broken.append(f"{claim_id} cannot be read ({type(error).__name__}: {error})")
    if as_json:
        tell(json.dumps(catalogue_data(claims), indent=1, ensure_ascii=False))
    else:
        print_catalogue(claims)
    for line in broken:
        complain(line, code=FAILED)
    return FAILED if broken else FINE


def measure(options: argparse.Namespace) -> int:
    """Measure what was asked for, print the table, and return 1 if a claim could not be measured."""
    try:
        asked = ids_of(options.claims)
    except UserError as error:
        raise BadUsageError(str(error)) from error
    size: Size = options.size
    outcomes = run_claims(asked, size=size, runs_dir=options.runs_dir, say=say)
    if options.json:
        tell(json.dumps(outcomes_data(outcomes), indent=1, ensure_ascii=False))
    else:
        print_outcomes(outcomes)
    broken = [outcome for outcome in outcomes if outcome.result is None]
    if options.debug:
        sys.stderr.writelines(outcome.traceback or "" for outcome in broken)
    return FAILED if broken else FINE


def say(text: str) -> None:
    """Write a line about progress to standard error, which leaves the results to standard output."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def tell(text: str) -> None:
    """Write to standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog="python -m bnbench.claims",
        description="Published claims about normalization, measured again on paired seeds and judged by intervals.",
        allow_abbrev=False,
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return added

    listing = command("list", "one line per claim")
    running = command("run", "measure claims and judge them; what is measured already is kept")
    for one in (listing, running):
        one.add_argument("--json", action="store_true", help="the same as JSON")
    running.add_argument("claims", nargs="+", metavar="CLAIM", help=f"ids as `list` shows them, e.g. A3; or {ALL}")
    sizes = running.add_mutually_exclusive_group()
    sizes.set_defaults(size="full")
    for size, why in (
        ("quick", "fewer seeds and shorter training"),
        ("miniature", "only to see it run, as the tests do: what it says means nothing"),
    ):
        sizes.add_argument(f"--{size}", dest="size", action="store_const", const=size, help=why)
    running.add_argument("--runs-dir", type=Path, default=RUNS_DIR, metavar="DIR", help="default: runs")
    reporting = command("report", "write the results of a folder of runs as Markdown and as a page")
    reporting.add_argument("runs_dir", nargs="?", type=Path, default=RUNS_DIR, metavar="RUNS_DIR", help="default: runs")
    reporting.add_argument(
        "--markdown", type=Path, default=Path("docs/claims.md"), metavar="FILE", help="default: docs/claims.md"
    )
    reporting.add_argument("--page", type=Path, metavar="FILE", help="default: RUNS_DIR/claims/claims.html")
    return made


if __name__ == "__main__":
    sys.exit(main())
