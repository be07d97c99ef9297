"""Class paths: what is found, and what is said of one that is not."""

import sys
from collections import OrderedDict
from pathlib import Path

import pytest
from torch import nn

from bnbench.class_path import load_class_path
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
        ("class PanicException(BaseException): pass\nraise PanicException('in rust')", "PanicException: in rust"),
        ("import pytest\npytest.skip('not here', allow_module_level=True)", "Skipped: not here"),
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
