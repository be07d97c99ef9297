"""Whether this is a dry run: a word of the command line, known to every process that the sweep may start."""

import os
import re
from collections.abc import Sequence

from bnbench.errors import UserError

DRY_RUN = "BNBENCH_DRY_RUN"
_WORD = re.compile(r"\+{0,2}dry_run=(.*)")


def take_dry_run(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without `dry_run=...`, which no job and no record has; remember what it said.

    Raises UserError for a value that is neither true nor false.

    >>> take_dry_run(["-m", "+dry_run=false", "norm=batch,layer"])
    ['-m', 'norm=batch,layer']
    """
    kept, dry = [], False
    for argument in arguments:
        found = _WORD.fullmatch(argument)
        if found is None:
            kept.append(argument)
        elif (value := found[1].lower()) in ("true", "false"):
            dry = value == "true"
        else:
            raise UserError(f"{argument}: expected +dry_run=true or +dry_run=false")
    os.environ[DRY_RUN] = "1" if dry else ""
    return kept


def is_dry_run() -> bool:
    """Return whether nothing is to be trained or written."""
    return os.environ.get(DRY_RUN) == "1"
