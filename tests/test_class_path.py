"""Class paths: what is found, what is said of one that is not, and what stands for a stranger's version."""

import linecache
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from bnbench.class_path import load_class_path, source_version
from bnbench.errors import UserError


@pytest.mark.parametrize(
    ("path", "found"), [("torch.nn:LayerNorm", nn.LayerNorm), ("collections:OrderedDict", OrderedDict)]
)
def test_class_is_found(path: str, found: object) -> None:
    assert load_class_path(path, key="k") is found


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "torch.nn.LayerNorm",
            r"^k='torch.nn.LayerNorm' is not of the form package.module:Name; did you mean 'torch.nn:LayerNorm'\?$",
        ),
        ("LayerNorm", r"^k='LayerNorm' is not of the form package.module:Name$"),
        ("", r"^k='' is not of the form package.module:Name$"),
        (":Name", r"is not of the form"),
        ("torch.nn:", r"is not of the form"),
        ("nowhere.at.all:X", r"^k=nowhere.at.all:X: module 'nowhere.at.all' does not import: ModuleNotFoundError: "),
        ("torhc.nn:X", r": ModuleNotFoundError: No module named 'torhc'; did you mean 'torch'\?$"),
        ("torch.nnn:X", r": ModuleNotFoundError: No module named 'torch.nnn'; did you mean 'torch.nn'\?$"),
        ("torch.nn.common_types.X:X", r"'torch.nn.common_types' is not a package$"),
        ("..relative:X", r"module '..relative' does not import: TypeError"),
        ("math:sqrtt", r"^k=math:sqrtt: module 'math' has no 'sqrtt'; did you mean 'sqrt'\?"),
        ("math:pi", r"^k=math:pi: 'pi' is a float, expected a class or a function$"),
    ],
)
def test_part_of_the_path_that_is_wrong_is_named(path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_class_path(path, key="k")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("def broken(:", "SyntaxError"),
        ("import no_such_dependency", "ModuleNotFoundError: No module named 'no_such_dependency'$"),
        ("import torhc", "ModuleNotFoundError: No module named 'torhc'$"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ],
)
def test_module_that_fails_at_import_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    (tmp_path / "failing_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "failing_module", raising=False)
    with pytest.raises(UserError, match=f"module 'failing_module' does not import: .*{message}"):
        load_class_path("failing_module:X", key="k")


def test_current_folder_can_be_imported_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_the_user.py").write_text("class Mine: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert load_class_path("beside_the_user:Mine", key="k").__name__ == "Mine"


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
    with pytest.raises(UserError, match=r"<object object at .* in a partial does not tell its value"):
        source_version(partial(nn.LayerNorm, eps=object()))


def in_a_notebook(cell: str, name: str, monkeypatch: pytest.MonkeyPatch, *, number: int) -> Callable[..., Any]:
    """What a cell of a notebook defines: no file, and its lines where `inspect` looks for them."""
    file = f"<cell {number}>"
    monkeypatch.setitem(linecache.cache, file, (len(cell), None, cell.splitlines(keepends=True), file))
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
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
        "from bnbench.class_path import source_version\n"
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
