"""Where the configuration lies: bnbench's own, and what installed plug-ins add to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
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
        texts = dict(_yaml_files(resources.files(package)))
        files = frozenset(texts)
        if refusal := _refusal(package, files):
            plugin.note_broken(refusal)
            continue
        for misplaced in _misplaced(package, files):
            plugin.note_broken(misplaced)
        for file in sorted(file for file, text in texts.items() if not _is_utf8(text)):
            plugin.note_broken(f"its {file}.yaml is not in UTF-8")
        for file in sorted(files & owners.keys()):
            plugin.note_broken(f"its {file}.yaml has the name of one of {owners[file]}, which is the one that is used")
        owners |= dict.fromkeys(files - owners.keys(), plugin.distribution)
        usable.append(ConfigurationPackage(package.__name__, plugin.distribution, files))
    return tuple(usable)


def configuration_files() -> frozenset[str]:
    """Return the yaml files of bnbench's own configuration, as group/name."""
    return yaml_files(CONF)


def yaml_files(folder: Path) -> frozenset[str]:
    """Return the yaml files of a folder of configuration groups, as group/name."""
    return frozenset(file for file, _ in _yaml_files(folder))


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


def _misplaced(package: ModuleType, files: Iterable[str]) -> Iterator[str]:
    """Say of every folder with yaml files that is no group of ours where its files would be looked for."""
    groups = {file.partition("/")[0] for file in configuration_files() if "/" in file}
    first_files = {file.partition("/")[0]: file for file in sorted(files, reverse=True)}
    for folder, file in sorted(first_files.items()):
        if folder in groups:
            continue
        near = get_close_matches(folder, groups, n=1)
        hint = f"; did you mean {near[0]}/?" if near else ""
        if file.split("/")[1] in groups:
            hint = f"; did you mean the entry point '{package.__name__}.{folder}'?"
        yield f"its {file}.yaml lies in no group of bnbench such as norm/ or experiment/{hint}"


def _yaml_files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _yaml_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield prefix + entry.name.removesuffix(".yaml"), entry


def _is_utf8(file: Traversable) -> bool:
    try:
        file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True
