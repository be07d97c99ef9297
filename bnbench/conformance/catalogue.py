"""Every registered norm with what its docstring says and its measured traits: `--list`, and docs/norms.md."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bnbench.conformance.card import JSON_SCHEMA_VERSION, plain
from bnbench.conformance.printing import print_to
from bnbench.conformance.subject import subject_of
from bnbench.conformance.traits import Traits, measure_traits
from bnbench.norms import NORMS
from bnbench.norms.description import Description, describe
from bnbench.norms.registration import Kind
from bnbench.plugins import BrokenPlugin
from bnbench.seeding import one_thread


@dataclass(frozen=True)
class Entry:
    """A registered norm; `origin` is the distribution that brought it, `traits` None are not measured."""

    name: str
    kind: Kind
    origin: str
    description: Description
    options: dict[str, Any]
    traits: Traits | None


def read_catalogue(*, with_traits: bool = False) -> tuple[Entry, ...]:
    """Return every registered norm by name; traits are measured at the defaults."""
    return tuple(_entry(name, with_traits=with_traits) for name in NORMS.names())


def _entry(name: str, *, with_traits: bool) -> Entry:
    norm = NORMS.get(name)
    traits = _traits(name) if with_traits else None
    return Entry(name, norm.kind, NORMS.distribution(name), describe(norm), norm.defaults(), traits)


def _traits(name: str) -> Traits | None:
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")
        try:
            return measure_traits(subject_of(name))
        except Exception:  # a stranger's code may raise anything: its check says what, the list goes on
            return None


def print_catalogue(
    entries: Sequence[Entry], broken: Sequence[str], *, file: IO[str] | None = None, width: int | None = None
) -> None:
    """Print a table of the norms, then a line for each plug-in that is broken."""
    console = Console(file=file, width=width, highlight=False, emoji=False)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in ("norm", "kind", "from"):
        table.add_column(title, no_wrap=True)
    table.add_column("")
    for entry in entries:
        said = (entry.name, entry.kind, entry.origin, first_sentence(entry.description.summary))
        table.add_row(*(Text(plain(text)) for text in said))
    print_to(console, table, *(Text(plain(line), style="bold red") for line in broken))


def to_dict(entries: Sequence[Entry], broken: Sequence[BrokenPlugin]) -> dict[str, Any]:
    """Return the list as plain values for JSON."""
    return {
        "schema_version": JSON_SCHEMA_VERSION,
        "norms": [
            {
                "name": entry.name,
                "kind": entry.kind,
                "from": plain(entry.origin),
                **{section: plain(said) for section, said in asdict(entry.description).items()},
                "options": {name: _json_value(value) for name, value in entry.options.items()},
            }
            for entry in entries
        ],
        "broken_plugins": [
            {"name": plain(each.name), "from": plain(each.distribution), "reason": plain(each.reason)}
            for each in broken
        ],
    }


def first_sentence(text: str) -> str:
    """Return the first sentence of a text.

    >>> first_sentence("Divide by x.max(). Then add 1.")
    'Divide by x.max().'
    """
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]


def _json_value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else repr(value)
