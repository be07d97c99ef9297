"""What installed plug-ins add to the configuration: Hydra searches their yaml files too, after ours."""

import sys
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from bnbench.configuration_packages import configuration_files, configuration_packages
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
    written = configuration_files().union(*(found.files for found in configuration_packages()))
    for name in names:
        if f"norm/{name}" not in written:
            node = {"name": name, **_listed_options(NORMS.get(name))}
            ConfigStore.instance().store(group="norm", name=name, node=node, provider=NORMS.distribution(name))
    Plugins.instance().register(PluginConfigurations)
    sys.stderr.writelines(f"warning: {line}\n" for line in describe_broken(broken_plugins()))


def _listed_options(norm: Norm) -> dict[str, Any]:
    """Return the options that a yaml can hold, with their defaults; others keep theirs without being listed."""
    try:
        defaults = norm.defaults()
    except UserError:  # a norm whose signature cannot be read has no options to list
        return {}
    return {
        name: value for name, value in defaults.items() if value is None or isinstance(value, bool | int | float | str)
    }
