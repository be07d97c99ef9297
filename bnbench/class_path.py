"""Bring in a class or function that the user names as `package.module:Name`."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from bnbench.errors import UserError, nearest


def load_class_path(class_path: str, *, key: str) -> Callable[..., Any]:
    """Return the callable at `package.module:Name`; raises UserError saying which part of the path is wrong.

    `key` is the configuration key the path was given under, for the message. The current folder is importable, as it
    is under `python -m`.
    """
    module_name, separator, name = class_path.partition(":")
    if not separator or not module_name or not name:
        raise UserError(f"{key}={class_path!r} is not of the form package.module:Name")
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise UserError(
            f"{key}={class_path}: module '{module_name}' does not import: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, name):
        public = [entry for entry in vars(module) if not entry.startswith("_")]
        raise UserError(f"{key}={class_path}: module '{module_name}' has no '{name}'; {nearest(name, public)}")
    entry = getattr(module, name)
    if not callable(entry):
        raise UserError(f"{key}={class_path}: '{name}' is a {type(entry).__name__}, expected a class or a function")
    return entry


def source_version(entry: Callable[..., Any]) -> str:
    """Return what stands for a stranger's version in a cell: source hash and distribution version."""
    module = inspect.getmodule(entry)
    file = getattr(module, "__file__", None)
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12] if file else "no-source"
    package = (module.__name__ if module else "").partition(".")[0]
    distributions = metadata.packages_distributions().get(package, [])
    versions = [f"{name}={metadata.version(name)}" for name in sorted(set(distributions))]
    return ",".join([digest, *versions])
