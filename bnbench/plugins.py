"""What packages installed beside bnbench bring: their entry points, each loaded on its own, and those that fail."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

NORMS_GROUP = "bnbench.norms"
CONF_GROUP = "bnbench.conf"
WITHOUT_PLUGINS = "BNBENCH_WITHOUT_PLUGINS"
"""Set to anything in the environment, no plug-in is looked for: as if bnbench were installed alone."""

# package.module or package.module:object, and extras as installers write them
_VALUE = re.compile(r"\s*\w+(\.\w+)*\s*(:\s*\w+(\.\w+)*\s*)?(\[.*\]\s*)?")


@dataclass(frozen=True)
class BrokenPlugin:
    """A plug-in that is installed and cannot be used: its name, its distribution with version, and why in one line."""

    name: str
    distribution: str
    reason: str
    group: str


@dataclass(frozen=True)
class Plugin:
    """An entry point: `value` is `package.module` or `package.module:object`."""

    name: str
    distribution: str
    value: str
    group: str

    @property
    def module(self) -> str:
        """Return the module that the value names."""
        return self.value.partition(":")[0].strip()

    @property
    def top_package(self) -> str:
        """Return the package that the value lies in."""
        return self.module.partition(".")[0]

    def load(self) -> object:
        """Import what the value names and return it; None for one that fails in any way, which is noted as broken."""
        if not _VALUE.fullmatch(self.value):
            self.note_broken(f"its value {self.value!r} is not of the form package.module or package.module:object")
            return None
        try:
            loaded: object = metadata.EntryPoint(self.name, self.value, self.group).load()
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # whatever a stranger's package does, the others go on
            self.note_broken(f"{type(error).__name__}: {error}")
            return None
        if loaded is None:
            self.note_broken(f"{self.value} is None")
        return loaded

    def note_broken(self, reason: str) -> None:
        """Keep that this plug-in cannot be used."""
        broken = BrokenPlugin(self.name, self.distribution, " ".join(reason.split()), self.group)
        if broken not in _BROKEN:
            _BROKEN.append(broken)

    def note_sound(self) -> None:
        """Take back what was noted of this plug-in."""
        who = (self.name, self.distribution, self.group)
        _BROKEN[:] = [each for each in _BROKEN if (each.name, each.distribution, each.group) != who]


_BROKEN: list[BrokenPlugin] = []


def installed_plugins(group: str) -> tuple[Plugin, ...]:
    """Return the entry points of a group by distribution and name, so that the first of two is always the same."""
    if os.environ.get(WITHOUT_PLUGINS):
        return ()
    found = (
        Plugin(entry.name, _distribution(entry.dist), entry.value, group)
        for entry in metadata.entry_points(group=group)
    )
    return tuple(sorted(found, key=lambda plugin: (plugin.distribution.lower(), plugin.name, plugin.value)))


def _distribution(distribution: metadata.Distribution | None) -> str:
    return f"{distribution.name} {distribution.version}" if distribution else "an unnamed distribution"


def broken_plugins() -> tuple[BrokenPlugin, ...]:
    """Return the plug-ins that were looked at and cannot be used.

    Norms are looked at by the first look into their registry, configurations by `configuration_packages`.
    """
    return tuple(_BROKEN)


def broken_plugin(group: str | None, name: str) -> BrokenPlugin | None:
    """Return the broken plug-in of a group by its name, if there is one."""
    return next((broken for broken in _BROKEN if (broken.group, broken.name) == (group, name)), None)


def describe_broken(broken: Iterable[BrokenPlugin]) -> list[str]:
    """Return one line for each reason, with the names it concerns.

    >>> describe_broken([BrokenPlugin("a", "x 1.0", "no", "g"), BrokenPlugin("b", "x 1.0", "no", "g")])
    ["plug-in 'a', 'b' of x 1.0 cannot be used: no"]
    """
    names: dict[tuple[str, str], list[str]] = {}
    for plugin in broken:
        names.setdefault((plugin.distribution, plugin.reason), []).append(f"'{plugin.name}'")
    return [
        f"plug-in {', '.join(dict.fromkeys(who))} of {distribution} cannot be used: {reason}"
        for (distribution, reason), who in names.items()
    ]
