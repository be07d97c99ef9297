"""What is printed goes to whoever still reads: a reader that has left changes no verdict and no exit code."""

import os
import sys
from typing import IO

from rich.console import Console, RenderableType


def write(text: str, *, file: IO[str] | None = None) -> None:
    """Write text to `file` (default: standard output) at once."""
    out = file or sys.stdout
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        # what is still buffered, and all that follows, goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def print_to(console: Console, *parts: RenderableType, soft_wrap: bool = False) -> None:
    """Print as the console would, had it not ideas of its own about a reader that has left: it ends the process."""
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=soft_wrap)
    write(captured.get(), file=console.file)
