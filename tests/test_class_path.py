"""Class paths: what is found, what is said of one that is not, and what stands for a stranger's version."""

import sys
from collections import OrderedDict
from pathlib import Path

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
        ("torch.nn.LayerNorm", r"^k='torch.nn.LayerNorm' is not of the form package.module:Name$"),
        ("", r"^k='' is not of the form"),
        (":Name", r"is not of the form"),
        ("torch.nn:", r"is not of the form"),
        ("nowhere.at.all:X", r"^k=nowhere.at.all:X: module 'nowhere.at.all' does not import: ModuleNotFoundError: "),
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
        ("import no_such_dependency", "No module named 'no_such_dependency'"),
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
