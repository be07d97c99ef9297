"""What installed plug-ins add to the configuration: Hydra searches their yaml files too, after ours."""

import sys
from argparse import ArgumentError, ArgumentParser
from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from bnbench.configuration_packages import configuration_files, configuration_packages, yaml_files
from bnbench.errors import UserError
from bnbench.norms import NORMS, Norm
from bnbench.plugins import broken_plugins, describe_broken


class PluginConfigurations(SearchPathPlugin):
    """Adds the configurations of plug-ins behind the main one, so that a file of bnbench's is never replaced."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append every usable package of configuration."""
        for found in configuration_packages():
            search_path.append(provider=found.distribution, path=f"pkg://{found.package}")


def add_plugins() -> None:
    """Load the plug-ins, make their norms and configurations choosable, and say on stderr which cannot be used.

    A norm without a yaml gets one of its options with their defaults, so that `norm=NAME` works for it too.
    """
    names = NORMS.names()
    owners = dict.fromkeys(configuration_files(), "bnbench")
    for found in configuration_packages():
        owners = dict.fromkeys(found.files, found.distribution) | owners
    mine = _files_of_the_user()
    for name in names:
        if f"norm/{name}" not in owners.keys() | mine:  # beside a file Hydra would take it for its schema
            node = {"name": name, **_listed_options(NORMS.get(name))}
            ConfigStore.instance().store(group="norm", name=name, node=node, provider=NORMS.distribution(name))
    Plugins.instance().register(PluginConfigurations)
    sys.stderr.writelines(f"warning: {line}\n" for line in describe_broken(broken_plugins()))
    sys.stderr.writelines(
        f"warning: {file}.yaml of --config-dir has the name of one of {owners[file]}, which is the one that is used\n"
        for file in sorted(mine & owners.keys())
    )


def _files_of_the_user() -> frozenset[str]:
    """Return the yaml files of the folder that Hydra is asked on the command line to search too, as group/name."""
    parser = ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--config-dir", "-cd", type=Path)
    try:
        folder = parser.parse_known_args(sys.argv[1:])[0].config_dir
    except ArgumentError:  # of an option without its value: Hydra says so
        return frozenset()
    return yaml_files(folder) if folder and folder.is_dir() else frozenset()


def _listed_options(norm: Norm) -> dict[str, Any]:
    """Return the options that a yaml can hold, with their defaults; others keep theirs without being listed."""
    try:
        defaults = norm.defaults()
    except UserError:  # a norm whose signature cannot be read has no options to list
        return {}
    return {
        name: value for name, value in defaults.items() if value is None or isinstance(value, bool | int | float | str)
    }
