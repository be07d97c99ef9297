"""`python -m bnbench.check`: meet a norm with every check and print its report card; list what is registered."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from typing import Any

from omegaconf import OmegaConf

from bnbench import command_line
from bnbench.command_line import BAD_USAGE, FAILED, FINE, show_what_can_be_shown
from bnbench.errors import UserError

INTERRUPTED = 130
complain = partial(command_line.complain, "bnbench.check")
KINDS = ("activation", "weight")
FEWEST_FEATURES = 2  # of a single feature no row has a spread


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 where a check fails and only there, 2 for what cannot be checked."""
    made = parser()
    options = made.parse_args(arguments)
    if misuse := contradiction(options):
        made.error(misuse)
    show_what_can_be_shown()
    try:
        return work(options)
    except KeyboardInterrupt:
        return complain("interrupted", code=INTERRUPTED)
    except (Exception, SystemExit) as error:  # a stranger's code may do anything, leave the process included
        if options.debug:
            traceback.print_exc()
        if isinstance(error, UserError):
            return complain(str(error), code=BAD_USAGE)
        hint = "" if options.debug else "; run again with --debug"
        return complain(f"internal error ({in_words(error)}){hint}", code=BAD_USAGE)


def work(options: argparse.Namespace) -> int:
    """Do what the options say."""
    from bnbench.conformance import command  # noqa: PLC0415  # --help and a mistyped option need not wait for torch

    if options.list:
        command.show_catalogue("json" if options.json else "markdown" if options.markdown else "table")
        return FINE
    if options.all:
        outcome = command.check_all(as_json=options.json)
        if outcome.refusals and not outcome.failed:
            return complain(f"could not be checked: {', '.join(outcome.refusals)}", code=BAD_USAGE)
        return FAILED if outcome.failed else FINE
    fit = command.check_one(
        options.norm,
        kind=options.kind,
        options=dict(options.option),
        num_features=options.num_features,
        as_json=options.json,
    )
    return FINE if fit else FAILED


def contradiction(options: argparse.Namespace) -> str | None:
    """Return what does not go together on the command line, if anything."""
    whole = "--all" if options.all else "--list" if options.list else None
    of_one = {
        "--kind": options.kind is not None,
        "--option": bool(options.option),
        "--num-features": options.num_features is not None,
    }
    given = [name for name, is_given in of_one.items() if is_given]
    if whole and given:
        return f"{' and '.join(given)} cannot go with {whole}: expected a norm to go with, as in layer {given[0]} …"
    if options.markdown and not options.list:
        return "--markdown is a form of --list: add --list, or leave it out"
    names = [name for name, _ in options.option]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"--option {twice[0]} is given more than once"
    return None


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog="python -m bnbench.check",
        usage="%(prog)s (NORM | --all | --list) [--kind KIND] [--option K=V] [--num-features N]\n"
        "                               [--json | --markdown] [--debug] [--help]",
        description="Meet a normalization layer with every check and print its report card.",
        epilog="Exit code: 0 fine, notes included; 1 a check failed; 2 what was named cannot be found, built or used. "
        "What each check looks at: docs/conformance.md.",
        allow_abbrev=False,
    )
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("norm", nargs="?", metavar="NORM", help="a registered name, or package.module:Name")
    what.add_argument("--all", action="store_true", help="every registered norm at its defaults, a line for each")
    what.add_argument("--list", action="store_true", help="list the registered norms, those of plug-ins included")
    add = made.add_argument
    add("--kind", choices=KINDS, help="activation (default) takes num_features, weight the Linear it replaces")
    add(
        "--option",
        type=option,
        action="append",
        default=[],
        metavar="K=V",
        help="an option of the norm, its value as in yaml; may be repeated",
    )
    add("--num-features", type=number_of_features, metavar="N", help="how many features to check at (default: 24)")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="with --list: a page of tables, with measured traits")
    add("--debug", action="store_true", help="show the traceback of an error")
    return made


def option(text: str) -> tuple[str, Any]:
    """Return name and value of `name=value`; argparse reports its errors as bad usage.

    >>> option("eps=1e-3"), option("sizes=[1, 2]"), option("momentum=null")
    (('eps', 0.001), ('sizes', [1, 2]), ('momentum', None))
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value, as in eps=1e-3")
    try:
        # read as Hydra reads a file: 1e-3 is a number, which it is not in plain yaml
        read = OmegaConf.to_container(OmegaConf.create(f"value: {value}"))
    except Exception:  # yaml's and omegaconf's errors, of no common kind: any of them says the same
        read = None
    if not isinstance(read, dict) or read.keys() != {"value"}:
        raise argparse.ArgumentTypeError(f"{text!r}: the value is no yaml, expected one as in k=0.1, k=true, k=[1,2]")
    return name, read["value"]


def number_of_features(text: str) -> int:
    """Return the number in `text`; argparse reports any that is none or too small as bad usage."""
    if not (text.isascii() and text.isdecimal()) or int(text) < FEWEST_FEATURES:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least {FEWEST_FEATURES}")
    return int(text)


def in_words(error: BaseException) -> str:
    """Return kind and text of an error, also where its text cannot be read."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # a stranger's __str__ may raise anything
        return type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
