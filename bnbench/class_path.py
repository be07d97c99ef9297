"""Bring in a class or function that the user names as `package.module:Name`."""

import importlib
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from bnbench.errors import UserError, nearest, with_article


def load_class_path(class_path: str, *, key: str) -> Callable[..., Any]:
    """Return the callable at `package.module:Name`; raises UserError saying which part of the path is wrong.

    `key` is the configuration key the path was given under, for the message. The current folder is importable, as it
    is under `python -m`.
    """
    module_name, separator, name = class_path.partition(":")
    if not separator or not module_name or not name:
        raise UserError(f"{key}={class_path!r} is not of the form package.module:Name{_with_colon(class_path)}")
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a stranger's file may do anything, leave the process included
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"{key}={class_path}: module '{module_name}' does not import: {said}{_near_module(module_name, error)}"
        ) from error
    if not hasattr(module, name):
        public = [entry for entry in vars(module) if not entry.startswith("_")]
        raise UserError(f"{key}={class_path}: module '{module_name}' has no '{name}'; {nearest(name, public)}")
    entry = getattr(module, name)
    if not callable(entry):
        raise UserError(
            f"{key}={class_path}: '{name}' is {with_article(type(entry).__name__)}, expected a class or a function"
        )
    return entry


def _with_colon(class_path: str) -> str:
    """Return the hint for a path that has a dot before its last name, or no name behind its module."""
    module_name, _, name = class_path.rpartition(".")
    if not (module_name and name) or ":" in class_path:
        return ""
    try:
        is_module = find_spec(class_path) is not None
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException:  # its package is imported for that: a stranger's file may do anything
        is_module = False
    if is_module:
        return f"; '{class_path}' is a module, expected a class or function in it, as in '{class_path}:Name'"
    return f"; did you mean '{module_name}:{name}'?"


def _near_module(module_name: str, error: BaseException) -> str:
    """Return the hint for a module that is not there while another one has nearly its name."""
    if not isinstance(error, ModuleNotFoundError) or f"{module_name}.".find(f"{error.name}.") != 0:
        return ""  # it is there, and something that it imports itself is not
    parent, _, name = str(error.name).rpartition(".")
    folders = getattr(sys.modules[parent], "__path__", []) if parent else None
    close = get_close_matches(name, [module.name for module in iter_modules(folders)], n=1)
    return f"; did you mean '{f'{parent}.' if parent else ''}{close[0]}'?" if close else ""
