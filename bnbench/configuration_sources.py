"""What the configuration of a job is composed of: as long as that stays, the same overrides give the same."""

import hashlib
import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata, resources
from itertools import chain
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import OmegaConf

from bnbench import config as config_module
from bnbench.datasets import schema
from bnbench.records import canonical_json

# what is composed of something else than files and overrides: the time, the environment
RESOLVED_ELSEWHERE = re.compile(r"\$\{\s*[\w.]*\s*(:|\$\{)")
OUR_OWN = "${oc.env:BNBENCH_SCRATCH,.}"  # where Hydra keeps its files, which decides no result
# where jobs run decides nothing of what they are
LAUNCHER = ("hydra/launcher=", "hydra.launcher.", "++hydra.job.env_set.")
SCHEMAS = (config_module, schema)
DISTRIBUTIONS = ("hydra-core", "omegaconf")


def sources_digest(hydra: HydraConf, jobs: Sequence[Sequence[str]]) -> str | None:
    """Return a digest of all that decides what overrides are composed to; None where that cannot be told.

    It covers the schema and what reads it, every yaml file that Hydra searches, which of them is the first, and what
    plug-ins registered; not what a file or an override takes from the environment or the clock: there is none for
    these.
    """
    given = [str(override) for override in hydra.overrides.hydra if not str(override).startswith(LAUNCHER)]
    code = {module.__name__: inspect.getsource(module) for module in SCHEMAS}
    code |= {name: metadata.version(name) for name in DISTRIBUTIONS}
    texts = {"given": canonical_json([hydra.job.config_name, *given])}
    texts |= _registered("", ConfigStore.instance().repo)
    try:
        for source in hydra.runtime.config_sources:
            texts |= _files(source.schema, source.path)
    except (OSError, _UntoldError):
        return None
    if any(RESOLVED_ELSEWHERE.search(text.replace(OUR_OWN, "")) for text in chain(*jobs, texts.values())):
        return None
    found = hashlib.sha256()
    for name, text in (code | texts).items():
        found.update(f"{name} {len(text)}\n{text}".encode(errors="surrogateescape"))
    return found.hexdigest()


class _UntoldError(Exception):
    """What decides a configuration lies where nothing looks for it."""


def _registered(group: str, nodes: Mapping[str, Any]) -> dict[str, str]:
    """Return what is registered with Hydra in place of files, but for what Hydra brings itself."""
    texts: dict[str, str] = {}
    for name, node in sorted(nodes.items()):
        if isinstance(node, ConfigNode):
            texts[f"{group}/{name} in {node.package}"] = OmegaConf.to_yaml(node.node)
        elif (group, name) != ("", "hydra"):
            texts |= _registered(f"{group}/{name}", node)
    return texts


def _files(schema: str, path: str) -> dict[str, str]:
    """Return the yaml files in a folder or package that Hydra searches."""
    if schema == "structured" or path == "hydra.conf":
        return {}
    folder = Path(path) if schema == "file" else resources.files(path) if schema == "pkg" else None
    if not isinstance(folder, Path):
        raise _UntoldError
    return {str(file): file.read_text("utf-8", "surrogateescape") for file in sorted(_yaml_files(str(folder)))}


def _yaml_files(folder: str) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        if any(Path(path, name).is_symlink() for name in folders):
            raise _UntoldError  # Hydra follows it, in circles maybe
        yield from (Path(path, name) for name in names if name.endswith(".yaml"))
