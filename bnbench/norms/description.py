"""What the docstring of a norm says of it, in the words every norm uses."""

import inspect
import re
from dataclasses import dataclass

from bnbench.norms.registration import Norm

SECTIONS = ("Formula", "Shapes", "Parameters", "State", "Raises", "Source")
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}): ", re.MULTILINE)


@dataclass(frozen=True)
class Description:
    """The first sentence of a norm's docstring and its sections; a section it lacks is empty."""

    summary: str
    formula: str
    shapes: str
    parameters: str
    state: str
    raises: str
    source: str


def describe(norm: Norm) -> Description:
    """Return what the docstring of a norm's factory says.

    >>> from bnbench.norms import NORMS
    >>> describe(NORMS.get("rms")).formula
    'y = γ x / √(mean(x²) + ε), with the mean over the row'
    """
    # not what a class without one would inherit: it says of another class what it computes
    text = inspect.cleandoc(getattr(norm.factory, "__doc__", None) or "")
    head, *rest = _SECTION.split(text)
    found = {name.lower(): _one_line(said) for name, said in zip(rest[::2], rest[1::2], strict=True)}
    paragraphs = head.strip().split("\n\n")
    return Description(
        summary=_one_line(paragraphs[0]), **{name.lower(): found.get(name.lower(), "") for name in SECTIONS}
    )


def _one_line(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())
