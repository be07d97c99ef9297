"""The one exception that is written for the user, and the near-name hints its messages carry."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake the user can mend: one readable message, shown without a traceback."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest valid name, if any is near, and all valid names.

    >>> nearest("bacth", ["batch", "layer"])
    "did you mean 'batch'? Choose from: batch, layer"
    """
    known = sorted(choices)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}Choose from: {', '.join(known) or '(nothing is registered)'}"
