"""The one exception that is written for the user, and the near-name hints its messages carry."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_SHOWN = 20  # a module of a stranger's may hold hundreds of names


class UserError(Exception):
    """A mistake the user can mend: one readable message, shown without a traceback."""


def with_article(word: str) -> str:
    """Return a word behind its indefinite article.

    >>> with_article("int"), with_article("float")
    ('an int', 'a float')
    """
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest valid name, if any is near, and the valid names.

    >>> nearest("bacth", ["batch", "layer"])
    "did you mean 'batch'? Choose from: batch, layer"
    """
    known = sorted(choices)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    shown = known if len(known) <= MOST_SHOWN else get_close_matches(name, known, n=MOST_SHOWN, cutoff=0.0)
    more = f", … ({len(known)} in all)" if len(known) > MOST_SHOWN else ""
    return f"{hint}Choose from: {', '.join(shown) or '(nothing is registered)'}{more}"
