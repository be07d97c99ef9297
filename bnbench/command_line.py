"""What the commands share: exit codes, one line for an error, a reader that leaves, comma lists."""

import argparse
import io
import os
import sys
from collections.abc import Callable
from typing import Protocol

from bnbench.errors import UserError

FINE, FAILED, BAD_USAGE = 0, 1, 2


class BadUsageError(Exception):
    """A word of the command line that names nothing, or too much; its message is for the user."""


class Complain(Protocol):
    """Writes one line to standard error and returns the exit code."""

    def __call__(self, message: str, *, code: int) -> int:
        """Write the message."""


def complain(program: str, message: str, *, code: int) -> int:
    """Write one line to standard error and return the exit code."""
    sys.stderr.write(f"{program}: {message}\n")
    return code


def show_what_can_be_shown() -> None:
    """Have a terminal that cannot show × still show the rest."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def run_command(work: Callable[[], int], complain: Complain, *, debug: bool, interrupted: str | None = None) -> int:
    """Return the exit code of `work`, in which every error is one line; with `debug` errors are raised.

    `interrupted` is what to say on Ctrl-C, None to leave it to the caller.
    """
    show_what_can_be_shown()
    try:
        return work()
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; what Python would still flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except KeyboardInterrupt:
        if interrupted is None:
            raise
        return complain(interrupted, code=FAILED)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, BadUsageError):
            return complain(str(error), code=BAD_USAGE)
        if isinstance(error, UserError):
            return complain(str(error), code=FAILED)
        return complain(f"internal error ({type(error).__name__}: {error}); run again with --debug", code=FAILED)


def names(text: str) -> tuple[str, ...]:
    """Return the names of a comma list; argparse reports an empty one as bad usage."""
    listed = tuple(name.strip() for name in text.split(",") if name.strip())
    if not listed:
        raise argparse.ArgumentTypeError("expected at least one name")
    return listed
