"""A catalogue of a test's own, beside the real one or in its place."""

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnbench.claims import catalogue

HEAD = """
from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region

def measure(setting):
    setting.say("measuring")
    return Measured({"number": [VALUE + seed / 100 for seed in setting.seeds]}, {"x": [1.0, 2.0]})
"""
BODY = """
CLAIM = Claim(
    claim_id="CLAIM_ID",
    statement="Numbers are large <script>alert(1)</script>",
    paper=Paper("Nobody", 2020, "Of numbers", "section 1"),
    scope="SCOPE",
    protocol="Numbers are written down.",
    statistic="The number.",
    rule="Holds where the number is at least 10.",
    cost=Cost(quick=0.1, full=0.1),
    parts=(Part("number", statement="the number is large", holds=Region(low=10.0), direction=Region(low=5.0)),),
    measure=measure,
    control=Control("a small number", lambda measured: {"number": [CONTROL, CONTROL]}),
    figure=lambda measured: Figure("Two points", "x", "y", (Curve("a<b", measured.series["x"], [3.0, 4.0]),)),
)
"""


@pytest.fixture
def own_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Return what writes a claim to a catalogue that holds nothing else; `head` is the beginning of its file."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    monkeypatch.setattr(catalogue, "__path__", [str(folder)])

    def write(
        claim_id: str, *, value: float = 11.0, control: float = 0.0, scope: str = "exact", head: str = HEAD
    ) -> Path:
        text = (head + BODY).replace("CLAIM_ID", claim_id).replace("VALUE", str(value))
        path = folder / f"{claim_id}.py"
        path.write_text(text.replace("CONTROL", str(control)).replace("SCOPE", scope), encoding="utf-8")
        # a file of the same length in the same second would be read from its bytecode
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        forget(claim_id)
        return path

    yield write
    for path in folder.glob("*.py"):
        forget(path.stem)


def forget(claim_id: str) -> None:
    """Have what a test wrote imported anew."""
    importlib.invalidate_caches()
    sys.modules.pop(f"{catalogue.__name__}.{claim_id}", None)
