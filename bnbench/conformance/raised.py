"""What a norm raised, in one line: its errors may span many, or be of a kind that cannot even be read."""

LONGEST = 300


def said(error: BaseException) -> str:
    """Return kind and text of an error in one line, cut where it is long.

    >>> said(ValueError("two\\nlines")), said(ValueError())
    ('ValueError: two lines', 'ValueError')
    """
    try:
        text = " ".join(str(error).split())
    except Exception:  # a stranger's __str__ may raise anything
        text = "(its text cannot be read)"
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
