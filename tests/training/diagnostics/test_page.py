"""docs/diagnostics.md tells of every diagnostic and every value, and its example is a diagnostic."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.training.diagnostics import DIAGNOSTICS

PAGE = Path(__file__).parents[3] / "docs" / "diagnostics.md"
TABLE_ROW = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)
EXAMPLE = re.compile(r"^```python\n(import torch\n.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_diagnostic_has_its_row_in_order() -> None:
    rows = TABLE_ROW.findall(PAGE.read_text().partition("## What is measured")[2].partition("\n## ")[0])
    assert rows == [*DIAGNOSTICS.names()]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_every_value_is_named(activation: str, train: Callable[..., Any]) -> None:
    run = train((0,), norm="batch", model__activation=activation, diagnostics="all")
    measured = {reading.name for reading in run.trajectory.diagnosed.readings}
    text = PAGE.read_text()
    assert measured
    assert [name for name in sorted(measured) if f"`{name}`" not in text] == []


def test_the_example_is_a_diagnostic(train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DIAGNOSTICS, "_entries", dict(DIAGNOSTICS._entries))
    (example,) = EXAMPLE.findall(PAGE.read_text())
    exec(compile(example, "example", "exec"), {"__name__": "example"})
    run = train((0, 1), diagnostics=["confidence"], change=lambda *_: None)
    found = {(one.name, one.step): one.values for one in run.trajectory.diagnosed.readings}
    assert run.trajectory.diagnosed.names == ("confidence",)
    assert (found["confidence", 6] > 1 / 3).all()
    assert (found["confidence_change", 6] == found["confidence", 6] - found["confidence", 3]).all()
    assert (found["confidence_change", 0] == 0).all()
    binary = train((0,), diagnostics=["confidence"], change=lambda *_: None, task={"outputs": 1})
    assert binary.trajectory.diagnosed.left_out == {"confidence": "it needs classes"}
