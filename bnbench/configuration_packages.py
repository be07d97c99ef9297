"""Where the configuration lies: bnbench's own, and what installed plug-ins add to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType

from bnbench.plugins import CONF_GROUP, installed_plugins

PACKAGED_CONF = Path(__file__).parent / "conf"
CONF = PACKAGED_CONF if PACKAGED_CONF.is_dir() else Path(__file__).parent.parent / "conf"


@dataclass(frozen=True)
class ConfigurationPackage:
    """A Python package with configuration groups in it: `files` are their yaml files, such as `norm/my_norm`."""

    package: str
    distribution: str
    files: frozenset[str]


@cache
def configuration_packages() -> tuple[ConfigurationPackage, ...]:
    """Return the configurations of the plug-ins that can be used, in the order they are searched, ours before them all.

    What cannot be used is kept as a broken plug-in: a whole package, or a file whose name one before it has.
    """
    owners = dict.fromkeys(configuration_files(), "bnbench")
    usable = []
    for plugin in installed_plugins(CONF_GROUP):
        package = plugin.load()
        if package is None:
            continue
        if not isinstance(package, ModuleType) or not hasattr(package, "__path__"):
            plugin.note_broken(f"expected a package with configuration groups in it, got a {type(package).__name__}")
            continue
        files = frozenset(_yaml_files(resources.files(package)))
        if refusal := _refusal(package, files):
            plugin.note_broken(refusal)
            continue
        for file in sorted(files & owners.keys()):
            plugin.note_broken(f"its {file}.yaml has the name of one of {owners[file]}, which is the one that is used")
        owners |= dict.fromkeys(files - owners.keys(), plugin.distribution)
        usable.append(ConfigurationPackage(package.__name__, plugin.distribution, files))
    return tuple(usable)


def configuration_files() -> frozenset[str]:
    """Return the yaml files of bnbench's own configuration, as group/name."""
    return frozenset(_yaml_files(CONF))


def _refusal(package: ModuleType, files: frozenset[str]) -> str:
    """Return why Hydra could not search a package, or must not; empty for one that it can."""
    if package.__file__ is None:
        return f"{package.__name__} has no __init__.py"
    if not files:
        return f"{package.__name__} holds no yaml file in a group folder; are its data files packaged?"
    # They would come before the schema of ours, which is found by its name.
    outside = sorted(file for file in files if "/" not in file or file.startswith("hydra/"))
    if outside:
        return (
            f"{package.__name__} has {outside[0]}.yaml, which lies in no group of bnbench such as norm/ or experiment/"
        )
    return ""


def _yaml_files(folder: Traversable, prefix: str = "") -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _yaml_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield prefix + entry.name.removesuffix(".yaml")
