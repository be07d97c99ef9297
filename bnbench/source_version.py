"""What stands for the version of a class or function that is not ours: its source, and what it was made with."""

import hashlib
import inspect
import linecache
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from bnbench.errors import UserError


def source_version(entry: Callable[..., Any], *, named_in: str = "") -> str:
    """Return what stands for a stranger's version in a cell: source hash, distribution version, what it was made with.

    `named_in` is the class path or the module that the entry is named in. A class or a function is told by the file it
    is written in; what was made (a closure, an instance, a partial) by the file it is named in too. Without a file, as
    in a notebook, the source of `entry` alone is hashed. Raises UserError where there is none, and for a value that
    an entry was made with and that cannot be told.
    """
    version = _version(entry, ())
    file = _file_of(sys.modules.get(named_in.partition(":")[0]))
    if _is_written(entry) or file is None:
        return version
    digest = _hash(file.read_bytes())
    return version if version.startswith(digest) else f"{version},in({digest})"


def definition_of(entry: Callable[..., Any]) -> tuple[str, str]:
    """Return the module an entry was written in and its name there, by its code: `functools.wraps` changes neither.

    >>> from torch import nn
    >>> definition_of(partial(nn.LayerNorm, eps=1e-3))
    ('torch.nn.modules.normalization', 'LayerNorm')
    """
    while isinstance(entry, partial):
        entry = entry.func
    defined = _defined(entry)
    if isinstance(defined, FunctionType):
        return str(defined.__globals__.get("__name__", "")), defined.__code__.co_qualname
    return str(getattr(defined, "__module__", "")), str(getattr(defined, "__qualname__", defined))


def _is_written(entry: Callable[..., Any]) -> bool:
    """Return whether an entry is a class or function of a module, and not made by another one."""
    return entry is _defined(entry) and "<locals>" not in definition_of(entry)[1]


def _version(entry: Callable[..., Any], inside: tuple[int, ...]) -> str:
    if isinstance(entry, partial):
        given = [_text(value, inside) for value in entry.args]
        given += [f"{name}={_text(value, inside)}" for name, value in sorted(entry.keywords.items())]
        return f"{_version(entry.func, inside)},partial({', '.join(given)})"
    made_with = [f"{name}={_text(value, inside)}" for name, value in sorted(_made_with(entry).items())]
    return ",".join([*_source(_defined(entry)), *([f"made({', '.join(made_with)})"] if made_with else [])])


def _source(defined: Any) -> list[str]:
    """Return the hash of the source of a class or function and its distributions with versions."""
    if isinstance(defined, FunctionType):
        module = sys.modules.get(definition_of(defined)[0])
        code_file = Path(defined.__code__.co_filename)
        file = code_file if code_file.is_absolute() and code_file.is_file() else _file_of(module)
    else:
        module = inspect.getmodule(defined)
        file = _file_of(module)
    package = (module.__name__ if module else "").partition(".")[0]
    if file:
        digest = _hash(file.read_bytes())
    elif package in sys.builtin_module_names and package != "__main__":
        digest = "no-source"  # part of Python itself
    else:
        digest = _hash(_source_text(defined).encode())
    return [digest, *(f"{name}={metadata.version(name)}" for name in _distributions(package))]


def _file_of(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file) if file and Path(file).is_file() else None


@cache
def _distributions(package: str) -> tuple[str, ...]:
    """Return the distributions of a top-level package; kept, as a look takes a tenth of a second."""
    return tuple(sorted(set(metadata.packages_distributions().get(package, []))))


def _defined(entry: Callable[..., Any]) -> Any:
    """Return the class or function whose code an entry runs: of an instance that can be called, its class."""
    entry = _behind(entry)
    return entry if inspect.isclass(entry) or inspect.isroutine(entry) else type(entry)


def _behind(entry: Callable[..., Any]) -> Any:
    """Return what an entry is of: a bound method of its instance or class, a cached function of the function."""
    while type(entry).__module__ == "functools" and hasattr(entry, "__wrapped__"):
        entry = entry.__wrapped__  # of `lru_cache`, which has no code of its own
    return entry.__self__ if isinstance(entry, MethodType) else entry


def _made_with(entry: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the values that the code of an entry does not show: what it closes over, what an instance holds."""
    entry, defined = _behind(entry), _defined(entry)
    if isinstance(defined, FunctionType):
        return _closed_over(defined)
    if not inspect.isclass(defined):
        return {}
    held = {} if entry is defined else getattr(entry, "__dict__", {})
    if "<locals>" not in defined.__qualname__:
        return dict(held)
    methods = [value for value in vars(defined).values() if isinstance(value, FunctionType)]
    values = {name: value for method in methods for name, value in _closed_over(method).items()}
    return {**values, **held}


def _closed_over(function: FunctionType) -> dict[str, Any]:
    cells: dict[str, CellType] = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    values = {name: cell.cell_contents for name, cell in cells.items() if name != "__class__" and _is_filled(cell)}
    if "<locals>" not in function.__code__.co_qualname:
        return values  # its defaults stand in its file
    defaults = dict(enumerate(function.__defaults__ or ())) | (function.__kwdefaults__ or {})
    return {**values, **{f"default {name}": value for name, value in defaults.items()}}


def _is_filled(cell: CellType) -> bool:
    return cell != CellType()  # an empty one has no contents to look at


def _text(value: Any, inside: tuple[int, ...]) -> str:
    """Return what tells a value from others, the same in every process; `inside` are the values it is part of."""
    if id(value) in inside:
        return "..."
    inside = (*inside, id(value))
    if isinstance(value, ModuleType):
        return value.__name__  # its representation has the folder it lies in
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__}({sorted(_text(each, inside) for each in value)})"
    text = repr(value)
    has_address = " at 0x" in text  # another one in every process
    if has_address and type(value) in (list, tuple):
        return f"[{', '.join(_text(each, inside) for each in value)}]"
    if has_address and type(value) is dict:
        return f"{{{', '.join(f'{key!r}: {_text(each, inside)}' for key, each in value.items())}}}"
    if callable(value) or (has_address and hasattr(value, "__dict__")):
        return f"{definition_of(value)[1]}[{_version(value, inside)}]"
    if has_address:
        raise UserError(
            f"{text} in a partial, a closure or an instance does not tell its value; expected numbers, text, classes "
            "or functions: write a class, or a function that makes it"
        )
    return text


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


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
