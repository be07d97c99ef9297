"""The one small registry: named entries, duplicates refused, unknown names answered with the nearest."""

import sys
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from bnbench.errors import UserError, nearest
from bnbench.plugins import Plugin, broken_plugin, installed_plugins

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Map names to entries of one kind ("norm", "data source", "activation", ...).

    With a `group`, the entry points of that group are loaded too, once, at the first look into the registry and not
    before: a plug-in may itself be what imports bnbench. `definition` tells where an entry was written, as
    `package.module:Name`, and `home` the module that registered it; an entry of the same definition and home takes the
    place of the older one, as when the cell of a notebook is run again.

    >>> colours: Registry[int] = Registry("colour")
    >>> colours.add("red", 1)
    >>> colours.get("red"), colours.names()
    (1, ('red',))
    """

    def __init__(
        self,
        kind: str,
        *,
        group: str | None = None,
        definition: Callable[[Entry], str] = repr,
        home: Callable[[Entry], str] | None = None,
    ) -> None:
        self.kind = kind
        self.group = group
        self._definition = definition
        self._home = home
        self._entries: dict[str, Entry] = {}
        self._distributions: dict[str, str] = {}
        self._failed: dict[str, Plugin] = {}
        self._plugins_loaded = group is None

    def add(self, name: str, entry: Entry) -> None:
        """Add an entry; raises ValueError when the name is taken, so that no plug-in silently replaces another."""
        if name in self._entries and not self._is_written_again(self._entries[name], entry):
            by = f" ({self._distributions[name]})" if name in self._distributions else ""
            first, second = self._told_apart(self._entries[name], entry)
            raise ValueError(f"{self.kind} '{name}' is registered twice: {first}{by} and {second}")
        self._entries[name] = entry
        plugin = self._failed.get(name)
        if plugin and plugin.top_package == self._package(entry):  # it was looked at while it was being imported
            plugin.note_sound()
            self._distributions[name] = plugin.distribution

    def _is_written_again(self, first: Entry, second: Entry) -> bool:
        if self._home is None:
            return False
        return (self._definition(first), self._home(first)) == (self._definition(second), self._home(second))

    def _told_apart(self, first: Entry, second: Entry) -> tuple[str, str]:
        told = self._definition(first), self._definition(second)
        if self._home is None or told[0] != told[1]:
            return told
        return f"{told[0]} in {self._home(first)}", f"{told[1]} in {self._home(second)}"

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
        return self._home(entry).partition(".")[0] if self._home else ""

    def _load_plugins(self) -> None:
        if self._plugins_loaded or self.group is None:
            return
        self._plugins_loaded = True  # first: a plug-in may look into the registry while it is imported
        plugins = installed_plugins(self.group)
        try:
            for plugin in plugins:
                if first := self._taken_by(plugin):
                    plugin.note_broken(f"{self.kind} '{plugin.name}' is already registered by {first}")
                else:
                    others = {other.name for other in plugins if other.distribution != plugin.distribution}
                    self._load(plugin, left_to_others=others)
        except BaseException:  # interrupted: the next look starts over
            self._plugins_loaded = False
            raise

    def _taken_by(self, plugin: Plugin) -> str | None:
        """Return what has the name of a plug-in already; None where nothing has, or its own package."""
        if plugin.name not in self._entries:
            return None
        if distribution := self._distributions.get(plugin.name):
            return distribution if distribution != plugin.distribution else None
        package = self._package(self._entries[plugin.name])
        return package if package != plugin.top_package else None

    def _load(self, plugin: Plugin, *, left_to_others: Collection[str]) -> None:
        before = frozenset(self._entries)
        loaded = plugin.load()
        added = self._entries.keys() - before
        if loaded is None:
            self._failed[plugin.name] = plugin
            for name in added:
                if self._fell_with(plugin, name):
                    del self._entries[name]
            return
        # a plug-in may import another one, whose norms are not its own
        own = {name for name in added if self._package(self._entries[name]) == plugin.top_package}
        own -= set(left_to_others)
        if plugin.name in self._entries:
            own |= {plugin.name}
        else:
            self._failed[plugin.name] = plugin
            instead = f"; it registered {', '.join(sorted(own))}" if own else ""
            plugin.note_broken(f"{plugin.value} registered no {self.kind} '{plugin.name}'{instead}")
        self._distributions = dict.fromkeys(own, plugin.distribution) | self._distributions

    def _fell_with(self, plugin: Plugin, name: str) -> bool:
        """Return whether what was registered before a plug-in failed is its own, and not of a module that is sound."""
        home = self._home(self._entries[name]) if self._home else ""
        parts = home.split(".")
        is_gone = any(".".join(parts[: number + 1]) not in sys.modules for number in range(len(parts)))
        is_of_its_name = (name, parts[0]) == (plugin.name, plugin.top_package)
        return is_gone or is_of_its_name or f"{home}.".startswith(f"{plugin.module}.")
