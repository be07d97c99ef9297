"""The list of norms and the page made of it: what docstrings say, what was measured, and nothing out of date."""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
from torch import nn

from bnbench.check import parser
from bnbench.conformance import check_norm
from bnbench.conformance import checks as checks  # registers them
from bnbench.conformance.card import print_card
from bnbench.conformance.catalogue import Entry, print_catalogue, read_catalogue, to_dict
from bnbench.conformance.norms_page import to_markdown, traits_in_short
from bnbench.conformance.registration import CHECKS
from bnbench.conformance.traits import Traits
from bnbench.norms import NORMS
from bnbench.norms.description import describe
from bnbench.norms.registration import is_ours, norm

DOCS = Path(__file__).parents[2] / "docs"
OURS = [name for name in NORMS.names() if is_ours(NORMS.get(name).factory)]
WRITE = "BNBENCH_WITHOUT_PLUGINS=1 python -m bnbench.check --list --markdown > docs/norms.md"
SILENT = Traits(
    rows_coupled_in_training=False,
    rows_coupled_in_evaluation=False,
    row_shift_invariant=False,
    row_scale_invariant=False,
    feature_shift_invariant=False,
    feature_scale_invariant=False,
    training_differs_from_evaluation=False,
    stateful=False,
    random=False,
    parameters=0,
)


@pytest.fixture(scope="module")
def measured() -> tuple[Entry, ...]:
    return tuple(entry for entry in read_catalogue(with_traits=True) if entry.name in OURS)


@pytest.mark.parametrize("section", ["summary", "formula", "shapes", "parameters", "state", "source"])
@pytest.mark.parametrize("name", OURS)
def test_docstring_of_a_norm_has_every_section(name: str, section: str) -> None:
    said = getattr(describe(NORMS.get(name)), section)
    assert said, f"the docstring of norm '{name}' lacks {section}: docs/norms.md is made of it"


@pytest.mark.parametrize("name", OURS)
def test_summary_of_a_norm_is_a_sentence(name: str) -> None:
    assert re.fullmatch(r"[A-Z].*[.]", describe(NORMS.get(name)).summary)


def test_page_of_norms_is_current(measured: tuple[Entry, ...]) -> None:
    page = DOCS / "norms.md"
    assert page.read_text(encoding="utf-8") == to_markdown(measured), f"docs/norms.md is out of date: {WRITE}"


def test_page_names_every_norm_once_in_a_table_and_once_below(measured: tuple[Entry, ...]) -> None:
    lines = to_markdown(measured).splitlines()
    assert sorted(re.findall(r"^\| `(\w+)`", "\n".join(lines), re.MULTILINE)) == OURS
    assert sorted(re.findall(r"^- `(\w+)`:", "\n".join(lines), re.MULTILINE)) == OURS
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")}
    assert bars == {7}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", "rows independent"),
        ("layer", "rows independent; invariant to shift and scale of a row"),
        ("rms", "rows independent; invariant to scale of a row"),
        (
            "batch",
            "rows coupled in training; invariant to shift and scale of a feature; training ≠ evaluation; stateful",
        ),
    ],
)
def test_measured_traits_are_those_of_the_formula(measured: tuple[Entry, ...], name: str, said: str) -> None:
    (entry,) = [entry for entry in measured if entry.name == name]
    assert entry.traits is not None
    assert traits_in_short(entry.traits) == said


@pytest.mark.parametrize(
    ("traits", "said"),
    [
        ({}, "rows independent"),
        ({"random": True}, "rows independent; random"),
        ({"rows_coupled_in_evaluation": True}, "rows coupled in evaluation"),
        (
            {"rows_coupled_in_training": True, "rows_coupled_in_evaluation": True},
            "rows coupled, in evaluation too",
        ),
        (
            {"weight_scale_invariant": True, "feature_shift_invariant": True},
            "rows independent; invariant to shift of a feature and scale of the weights",
        ),
    ],
)
def test_traits_are_said_in_short(traits: dict[str, bool], said: str) -> None:
    assert traits_in_short(replace(SILENT, **traits)) == said


@pytest.fixture
def of_a_stranger(monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A norm that says nothing of itself but strange things, and cannot be built."""
    monkeypatch.setattr(NORMS, "_entries", dict(NORMS._entries))

    @norm("strange", version=1)
    def strange(num_features: int, *, largest: float = float("inf"), sizes: tuple[int, ...] = (1, 2)) -> nn.Module:
        """Do as_you_like | with [a](b) <script> and `x|y`. Or not.

        Source: nobody (arXiv:2101.00001)
        """
        raise RuntimeError("not today")

    (entry,) = [entry for entry in read_catalogue(with_traits=True) if entry.name == "strange"]
    return entry


def test_norm_of_a_stranger_is_listed_whatever_it_says(of_a_stranger: Entry) -> None:
    assert of_a_stranger.traits is None
    page = to_markdown([of_a_stranger])
    row = "| `strange` | – | – | – | – | nobody ([arXiv:2101.00001](https://arxiv.org/abs/2101.00001)) |"
    assert row in page.splitlines()
    assert "## Not measured" in page
    assert r"Do as\_you\_like | with \[a\](b) \<script> and `x|y`." in page
    assert "Options: `largest=inf`, `sizes=(1, 2)`." in page


def test_list_is_strict_json(of_a_stranger: Entry) -> None:
    (said,) = json.loads(json.dumps(to_dict([of_a_stranger], ()), allow_nan=False))["norms"]
    assert (said["name"], said["kind"], said["from"]) == ("strange", "activation", of_a_stranger.origin)
    assert said["options"] == {"largest": "inf", "sizes": [1, 2]}
    assert said["formula"] == ""


def test_list_shows_name_kind_origin_and_first_sentence(of_a_stranger: Entry) -> None:
    stream = StringIO()
    print_catalogue([of_a_stranger], ["a plug-in is [red]broken"], file=stream, width=120)
    header, row, broken = stream.getvalue().splitlines()
    assert header.split() == ["norm", "kind", "from"]
    assert row.split()[:3] == ["strange", "activation", of_a_stranger.origin]
    assert row.rstrip().endswith("Do as_you_like | with [a](b) <script> and `x|y`.")
    assert broken == "a plug-in is [red]broken"


def test_norm_of_ours_comes_from_bnbench() -> None:
    assert {entry.origin for entry in read_catalogue() if entry.name in OURS} == {"bnbench"}


def test_every_check_is_described_by_its_own_sentence() -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    described = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    found = {name: first_paragraph(CHECKS.get(name)) for name in CHECKS.names()}
    assert described == found, "docs/conformance.md: each check has a row with the first sentence of its docstring"


def first_paragraph(documented: Callable[..., object]) -> str:
    return " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())


def test_example_of_a_plugins_own_test_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_norms.py").write_text("from torch.nn import LayerNorm as MyNorm\n")
    (tmp_path / "test_of_a_plugin.py").write_text(example)
    import_module("test_of_a_plugin").test_my_norm_conforms()


def test_commands_of_the_page_are_understood() -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    python -m bnbench.check (.*)$", page, re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        parser().parse_args(command.split())


def test_card_of_the_readme_is_what_the_command_prints() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    (excerpt,) = re.findall(
        r"<!-- card: python -m bnbench.check torch.nn:InstanceNorm1d -->\n```text\n(.*?)```", readme, re.DOTALL
    )
    stream = StringIO()
    print_card(check_norm("torch.nn:InstanceNorm1d"), file=stream, width=80)
    printed = iter([without_rounding(line.rstrip()) for line in stream.getvalue().splitlines()])
    for line in excerpt.splitlines():
        assert line == "…" or without_rounding(line) in printed, f"README.md: not printed, or not in this place: {line}"


def without_rounding(line: str) -> str:
    """Leave out numbers that are rounding errors: another machine, another number."""
    return re.sub(r"\d\S*e-\d+", "#", line)
