"""The one small registry: named entries, duplicates refused, unknown names answered with the nearest."""

from collections.abc import Callable
from typing import Generic, TypeVar

from bnbench.errors import UserError, nearest

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Map names to entries of one kind ("norm", "data source", "activation", ...).

    >>> colours: Registry[int] = Registry("colour")
    >>> colours.add("red", 1)
    >>> colours.get("red"), colours.names()
    (1, ('red',))
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> None:
        """Add an entry; raises ValueError when the name is taken, so that no plug-in silently replaces another."""
        if name in self._entries:
            raise ValueError(f"{self.kind} '{name}' is registered twice: {self._entries[name]!r} and {entry!r}")
        self._entries[name] = entry

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Return a decorator that adds what it decorates under `name`."""

        def decorate(entry: Entry) -> Entry:
            self.add(name, entry)
            return entry

        return decorate

    def get(self, name: str) -> Entry:
        """Return the entry; raises UserError that names the nearest known one."""
        if name not in self._entries:
            raise UserError(f"unknown {self.kind} '{name}'; {nearest(name, self._entries)}")
        return self._entries[name]

    def names(self) -> tuple[str, ...]:
        """Return every registered name, sorted."""
        return tuple(sorted(self._entries))
