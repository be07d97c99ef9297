"""Bring in a class or function that the user names as `package.module:Name`."""

import hashlib
import importlib
import inspect
import linecache
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache, partial
from importlib import metadata
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
    except (Exception, SystemExit) as error:  # a stranger's file may do anything, leave the process included
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
    except (Exception, SystemExit):  # its package is imported for that: a stranger's file may do anything
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


def source_version(entry: Callable[..., Any]) -> str:
    """Return what stands for a stranger's version in a cell: source hash, distribution version, a partial's arguments.

    Without a file, as in a notebook, the source of `entry` alone is hashed. Raises UserError where there is none.
    """
    if isinstance(entry, partial):
        given = [_argument_text(value) for value in entry.args]
        given += [f"{name}={_argument_text(value)}" for name, value in sorted(entry.keywords.items())]
        return f"{source_version(entry.func)},partial({', '.join(given)})"
    defined = _definition(entry)
    module = inspect.getmodule(defined)
    package = (module.__name__ if module else "").partition(".")[0]
    versions = [f"{name}={metadata.version(name)}" for name in _distributions(package)]
    file = getattr(module, "__file__", None)
    if file and Path(file).is_file():
        digest = _hash(Path(file).read_bytes())
    elif package in sys.builtin_module_names and package != "__main__":
        digest = "no-source"  # part of Python itself
    else:
        digest = _hash(_source_text(defined).encode())
    return ",".join([digest, *versions])


@cache
def _distributions(package: str) -> tuple[str, ...]:
    """Return the distributions of a top-level package; kept, as a look takes a tenth of a second."""
    return tuple(sorted(set(metadata.packages_distributions().get(package, []))))


def _definition(entry: Callable[..., Any]) -> Any:
    """Return the class or function an entry was defined as: of an instance that can be called, its class."""
    entry = inspect.unwrap(entry)
    return entry if inspect.isclass(entry) or inspect.isroutine(entry) else type(entry)


def _source_text(defined: Any) -> str:
    """Return the source of a class or function that is in no file."""
    try:
        return inspect.getsource(defined)
    except (OSError, TypeError):  # how inspect says that it found none, as of any class of a notebook
        text = _cell_text(defined)
    if text:
        return text
    raise UserError(
        f"'{getattr(defined, '__qualname__', defined)}' has no source to tell its versions apart by; put it in a file "
        "that Python can import"
    )


def _cell_text(defined: Any) -> str:
    """Return the whole notebook cell that a class with methods was defined in; empty where there is none."""
    values = vars(defined).values() if inspect.isclass(defined) else ()
    methods = [value for value in values if inspect.isfunction(value)]
    cells = ("".join(linecache.getlines(method.__code__.co_filename)) for method in methods)
    return next((cell for cell in cells if cell), "")


def _argument_text(value: Any) -> str:
    if callable(value):
        return f"{getattr(_definition(value), '__qualname__', '')}[{source_version(value)}]"
    text = repr(value)
    if " at 0x" in text:  # an address: another one in every process
        raise UserError(f"{text} in a partial does not tell its value; expected numbers, text, classes or functions")
    return text


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
