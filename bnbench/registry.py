"""The one small registry: named entries, duplicates refused, unknown names answered with the nearest."""

from collections.abc import Callable
from typing import Generic, TypeVar

from bnbench.errors import UserError, nearest
from bnbench.plugins import Plugin, broken_plugin, installed_plugins

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Map names to entries of one kind ("norm", "data source", "activation", ...).

    With a `group`, the entry points of that group are loaded too, once, at the first look into the registry and not
    before: a plug-in may itself be what imports bnbench. `definition` tells where an entry was written, as
    `package.module:Name`; an entry of the same definition takes the place of the older one, as when the cell of a
    notebook is run again.

    >>> colours: Registry[int] = Registry("colour")
    >>> colours.add("red", 1)
    >>> colours.get("red"), colours.names()
    (1, ('red',))
    """

    def __init__(
        self, kind: str, *, group: str | None = None, definition: Callable[[Entry], str] | None = None
    ) -> None:
        self.kind = kind
        self.group = group
        self._definition: Callable[[Entry], str] = definition or repr
        self._replaces = definition is not None
        self._entries: dict[str, Entry] = {}
        self._distributions: dict[str, str] = {}
        self._plugins_loaded = group is None

    def add(self, name: str, entry: Entry) -> None:
        """Add an entry; raises ValueError when the name is taken, so that no plug-in silently replaces another."""
        if name in self._entries:
            first, second = self._definition(self._entries[name]), self._definition(entry)
            if not (self._replaces and first == second):
                by = f" ({self._distributions[name]})" if name in self._distributions else ""
                raise ValueError(f"{self.kind} '{name}' is registered twice: {first}{by} and {second}")
        self._entries[name] = entry

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Return a decorator that adds what it decorates under `name`."""

        def decorate(entry: Entry) -> Entry:
            self.add(name, entry)
            return entry

        return decorate

    def get(self, name: str) -> Entry:
        """Return the entry; raises UserError that names the nearest known one, or says why its plug-in failed."""
        self._load_plugins()
        if name in self._entries:
            return self._entries[name]
        if broken := broken_plugin(self.group, name):
            raise UserError(
                f"{self.kind} '{name}' is installed by {broken.distribution} and cannot be used: {broken.reason}"
            )
        raise UserError(f"unknown {self.kind} '{name}'; {nearest(name, self._entries)}")

    def names(self) -> tuple[str, ...]:
        """Return every registered name, sorted."""
        self._load_plugins()
        return tuple(sorted(self._entries))

    def distribution(self, name: str) -> str:
        """Return what an entry comes from: the distribution of its plug-in with version, else its package.

        Raises UserError for an unknown name.
        """
        entry = self.get(name)
        return self._distributions.get(name) or self._package(entry)

    def _package(self, entry: Entry) -> str:
        return self._definition(entry).partition(":")[0].partition(".")[0]

    def _load_plugins(self) -> None:
        if self._plugins_loaded or self.group is None:
            return
        self._plugins_loaded = True  # first: a plug-in may look into the registry while it is imported
        for plugin in installed_plugins(self.group):
            if first := self._taken_by(plugin):
                plugin.note_broken(f"{self.kind} '{plugin.name}' is already registered by {first}")
            else:
                self._load(plugin)

    def _taken_by(self, plugin: Plugin) -> str | None:
        """Return what has the name of a plug-in already; None where nothing has, or its own package."""
        if plugin.name not in self._entries:
            return None
        if distribution := self._distributions.get(plugin.name):
            return distribution if distribution != plugin.distribution else None
        package = self._package(self._entries[plugin.name])
        return package if package != plugin.top_package else None

    def _load(self, plugin: Plugin) -> None:
        before = dict(self._entries)
        if plugin.load() is None:
            self._entries = before  # what it registered before it failed is not there in part
            return
        added = self._entries.keys() - before.keys()
        if plugin.name in self._entries:
            added |= {plugin.name}
        else:
            instead = f"; it registered {', '.join(sorted(added))}" if added else ""
            plugin.note_broken(f"{plugin.value} registered no {self.kind} '{plugin.name}'{instead}")
        self._distributions |= dict.fromkeys(added, plugin.distribution)
