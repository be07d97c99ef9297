"""What stands for the version of what is not ours: its source, and what it was made with."""

import linecache
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from bnbench.class_path import load_class_path
from bnbench.errors import UserError
from bnbench.source_version import source_version


def test_version_changes_with_the_source_and_with_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    versions = []
    for name, source in (
        ("first_file", "class A: pass"),
        ("same_text", "class A: pass"),
        ("other_text", "class A: ..."),
    ):
        (tmp_path / f"{name}.py").write_text(source)
        versions.append(source_version(load_class_path(f"{name}:A", key="k")))
    assert versions[0] == versions[1] != versions[2]


def test_version_names_the_distribution() -> None:
    assert source_version(nn.LayerNorm).split(",")[1].startswith("torch=")


def test_built_in_without_source_has_a_version_too() -> None:
    assert source_version(dict).startswith("no-source")


class Halving:
    def __call__(self, value: float) -> float:
        return value / 2


@lru_cache
def remembered(value: float) -> float:
    return value


@pytest.mark.parametrize("entry", [Halving(), remembered, Halving().__call__], ids=["instance", "wrapped", "method"])
def test_what_can_be_called_has_the_version_of_its_file(entry: Callable[..., Any]) -> None:
    assert source_version(entry) == source_version(Halving) != source_version(nn.LayerNorm)


def test_partial_has_the_version_of_its_function_and_arguments() -> None:
    entries = [
        nn.LayerNorm,
        partial(nn.LayerNorm, eps=0.1),
        partial(nn.LayerNorm, eps=0.2),
        partial(nn.LayerNorm, 0.1),
        partial(nn.LayerNorm, eps=0.1, bias=False),
        partial(nn.LayerNorm, eps=Halving),
        partial(nn.LayerNorm, eps=remembered),
    ]
    versions = [source_version(entry) for entry in entries]
    assert len(set(versions)) == len(entries)
    assert all(version.startswith(versions[0]) and " at 0x" not in version for version in versions)
    assert source_version(partial(nn.LayerNorm, bias=False, eps=0.1)) == versions[4]
    assert source_version(partial(partial(nn.LayerNorm, bias=False), eps=0.1)) == versions[4]


def test_partial_argument_without_a_value_is_refused() -> None:
    with pytest.raises(UserError, match=r"<object object at .* in a partial, .* does not tell its value"):
        source_version(partial(nn.LayerNorm, eps=object()))


def in_a_notebook(cell: str, name: str, monkeypatch: pytest.MonkeyPatch, *, number: int) -> Callable[..., Any]:
    """What a cell of a notebook defines: no file, and its lines where `inspect` looks for them."""
    file = f"<cell {number}>"
    monkeypatch.setitem(linecache.cache, file, (len(cell), None, cell.splitlines(keepends=True), file))
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(cell, file, "exec"), names)
    entry: Callable[..., Any] = names[name]
    return entry


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("def mine(x):\n    return x + 1\n", "mine"),
        ("class Mine:\n    scale = 1\n    def __call__(self, x):\n        return x\n", "Mine"),
    ],
)
def test_version_of_a_notebook_follows_the_cell(cell: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [cell, cell, cell.replace("1", "2")]
    versions = []
    for number, text in enumerate(cells):
        with monkeypatch.context() as patch:
            versions.append(source_version(in_a_notebook(text, name, patch, number=number)))
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize("given", ["stdin", "option"])
def test_what_is_in_no_file_is_told_to_be_put_in_one(given: str) -> None:
    script = (
        "from bnbench.source_version import source_version\n"
        "from bnbench.errors import UserError\n"
        "class Empty: ...\n"
        "class Method:\n    def method(self): ...\n"
        "def function(n): ...\n"
        "for entry in (Empty, Method, Method(), function, lambda n: n):\n"
        "    try:\n        print(source_version(entry))\n"
        "    except UserError as error:\n        print(error)\n"
    )
    command = [sys.executable] if given == "stdin" else [sys.executable, "-c", script]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=True)
    message = "has no source to tell its versions apart by; put it in a file that Python can import"
    names = ["Empty", "Method", "Method", "function", "<lambda>"]
    assert done.stdout.splitlines() == [f"'{name}' {message}" for name in names]


LIBRARY = """
import functools
def make(scale):
    def build(number):
        return number * scale
    return build
def make_by_default(scale):
    def build(number, scale=scale):
        return number * scale
    return build
def make_class(scale):
    class Made:
        def __init__(self, number):
            self.number = number * scale
    return Made
class Build:
    def __init__(self, scale):
        self.scale = scale
    def __call__(self, number):
        return number * self.scale
    def by_method(self, number):
        return number * self.scale
def doubled(number):
    return 2 * number
def decorated(function):
    @functools.wraps(function)
    def inner(number):
        return function(number)
    return inner
"""
USER = """
import functools
import a_library
from a_library import doubled as by_name
by_closure = a_library.make({0})
by_default = a_library.make_by_default({0})
by_class = a_library.make_class({0})
by_instance = a_library.Build({0})
by_method = a_library.Build({0}).by_method
@functools.wraps(a_library.doubled)
def by_wraps(number):
    return {0} * number
@a_library.decorated
def by_decorator(number):
    return {0} * number
by_lambda = lambda number: {0} * number
by_partial = functools.partial(a_library.doubled, number={0})
"""
MADE = ["closure", "default", "class", "instance", "method", "wraps", "decorator", "lambda", "partial"]


@pytest.fixture
def version_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """version_of(name, user=…, library=…): of what a file of the user's names, made by a library."""
    monkeypatch.syspath_prepend(tmp_path)

    def version(name: str, *, user: str = USER.format(2), library: str = LIBRARY, named: bool = True) -> str:
        for module, text in (("a_library", library), ("a_user", user)):
            (tmp_path / f"{module}.py").write_text(text)
            sys.modules.pop(module, None)
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        entry = load_class_path(f"a_user:{name}", key="k")
        sys.dont_write_bytecode = before
        return source_version(entry, named_in="a_user" if named else "")

    return version


@pytest.mark.parametrize("way", MADE)
def test_version_follows_the_file_it_is_named_in(way: str, version_of: Callable[..., str]) -> None:
    version = version_of(f"by_{way}")
    assert version == version_of(f"by_{way}")
    assert version != version_of(f"by_{way}", user=USER.format(3))
    assert version != version_of(f"by_{way}", user=USER.format(2) + "# edited")


@pytest.mark.parametrize("way", MADE)
def test_value_it_was_made_with_is_told_even_where_it_is_not_named(way: str, version_of: Callable[..., str]) -> None:
    """As of a function that is handed over, not its path."""
    version = version_of(f"by_{way}", named=False)
    assert version != version_of(f"by_{way}", user=USER.format(3), named=False)
    assert " at 0x" not in version


@pytest.mark.parametrize("way", [way for way in MADE if way not in ("wraps", "lambda")])
def test_version_follows_the_file_of_what_made_it(way: str, version_of: Callable[..., str]) -> None:
    assert version_of(f"by_{way}") != version_of(f"by_{way}", library=LIBRARY + "# edited")


def test_what_is_only_imported_is_told_by_its_own_file(version_of: Callable[..., str]) -> None:
    """As torch.nn:LayerNorm, whatever else the file it is named in has."""
    assert version_of("by_name") == version_of("by_name", user=USER.format(3))
    assert source_version(nn.LayerNorm, named_in="torch.nn:LayerNorm") == source_version(nn.LayerNorm)


def test_value_that_cannot_be_told_is_refused_by_name(version_of: Callable[..., str]) -> None:
    with pytest.raises(UserError, match=r"<object object at .* in a partial, a closure or an instance does not tell"):
        version_of("by_closure", user=USER.format("object()"))


def test_set_has_one_text_in_every_process() -> None:
    script = (
        "from functools import partial\nfrom bnbench.source_version import source_version\nimport textwrap\n"
        "print(source_version(partial(textwrap.dedent, text={'a', 'b', 'c', 'd', 'e'})))"
    )
    told = set()
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        told.add(done.stdout)
    assert len(told) == 1


def test_value_that_holds_itself_is_told() -> None:
    class Circle:
        def __call__(self, number: float) -> float:
            return number

    circle = Circle()
    vars(circle)["me"] = circle
    assert "made(me=" in source_version(circle)
