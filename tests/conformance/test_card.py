"""The report card and the summary as they are shown: in a terminal of 80 columns, to programs, whatever a norm says."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from math import inf, nan

import pytest

from bnbench.conformance import command
from bnbench.conformance.card import print_card, to_dict
from bnbench.conformance.costs import Costs
from bnbench.conformance.finding import Finding, Verdict
from bnbench.conformance.suite import ReportCard
from bnbench.conformance.summary import Summary
from bnbench.conformance.traits import Traits
from bnbench.errors import UserError
from bnbench.plugins import BrokenPlugin

TRAITS = Traits(
    rows_coupled_in_training=True,
    rows_coupled_in_evaluation=False,
    row_shift_invariant=False,
    row_scale_invariant=False,
    feature_shift_invariant=True,
    feature_scale_invariant=True,
    training_differs_from_evaluation=True,
    stateful=True,
    random=False,
    parameters=1048,
)
FINDINGS = (
    Finding("layout", Verdict.PASS, "largest change 3.1e-07", "a row is a row"),
    Finding("cost", Verdict.NOTE, "3.2 times", "most of the time of a small network goes into the norm"),
    Finding("input_unchanged", Verdict.FAIL, "largest change 3.1e-02", "others that read them read other numbers"),
    Finding("starts_at_weights", Verdict.NOT_APPLICABLE, "–", "not a weight norm"),
)
CARD = ReportCard("mine:Norm(eps=0.1)", "activation", 24, FINDINGS, TRAITS, Costs(1.234, 2.0))
PASSING = replace(CARD, findings=(FINDINGS[0], FINDINGS[3]))


def shown(card: ReportCard, *, width: int = 80) -> list[str]:
    stream = StringIO()
    print_card(card, file=stream, width=width)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_card_names_verdict_check_number_and_meaning() -> None:
    assert shown(CARD) == [
        "mine:Norm(eps=0.1)  kind activation, 24 features",
        "",
        "pass  layout: largest change 3.1e-07",
        "      a row is a row",
        "n/a   starts at weights",
        "      not a weight norm",
        "note  cost: 3.2 times",
        "      most of the time of a small network goes into the norm",
        "fail  input unchanged: largest change 3.1e-02",
        "      others that read them read other numbers",
        "",
        "Traits, measured",
        "rows coupled in training          yes",
        "rows coupled in evaluation        no",
        "row shift invariant               no",
        "row scale invariant               no",
        "feature shift invariant           yes",
        "feature scale invariant           yes",
        "training differs from evaluation  yes",
        "stateful                          yes",
        "random                            no",
        "parameters                        1,048",
        "step cost                         1.23 × identity",
        "inference cost                    2.00 × identity",
        "",
        "mine:Norm(eps=0.1) fails 1 check (input unchanged); 1 pass, 1 note, 1 not",
        "applicable.",
    ]


def test_card_without_a_fail_says_so_last() -> None:
    assert shown(PASSING)[-1] == "mine:Norm(eps=0.1) fails nothing: 1 pass, 0 notes, 1 not applicable."


def test_traits_that_were_not_measured_are_not_shown() -> None:
    lines = shown(replace(CARD, traits=None, costs=None))
    assert "Traits were not measured: the norm raises on ordinary inputs." in lines
    assert not any("invariant" in line for line in lines)
    assert "step cost" not in "".join(shown(replace(CARD, costs=None)))


def test_trait_of_a_weight_norm_is_shown_for_a_weight_norm() -> None:
    weight = replace(CARD, traits=replace(TRAITS, weight_scale_invariant=True))
    assert "weight scale invariant            yes" in shown(weight)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_long_text_is_wrapped_beside_the_verdict(width: int) -> None:
    long = Finding("layout", Verdict.FAIL, "a number " * 30, "a long sentence " * 30)
    lines = shown(replace(CARD, findings=(long,)), width=width)
    assert max(map(len, lines)) <= width
    body = lines[2 : lines.index("Traits, measured") - 1]
    assert body[0].startswith("fail  layout: a number")
    assert all(line.startswith("      ") for line in body[1:])


STRANGE = "[bold red]no markup[/] :smile: \x1b[31mnor escape\x07\r\nnor line"
AS_SHOWN = "[bold red]no markup[/] :smile: \N{REPLACEMENT CHARACTER}[31mnor escape\N{REPLACEMENT CHARACTER} nor line"


def test_text_of_a_stranger_is_shown_as_it_is() -> None:
    finding = Finding("layout", Verdict.FAIL, STRANGE, STRANGE)
    lines = shown(replace(CARD, entry=STRANGE, findings=(finding,)), width=200)
    assert lines[0].startswith(AS_SHOWN)
    assert f"layout: {AS_SHOWN}" in lines[2]
    assert AS_SHOWN in lines[3]
    assert lines[-1].startswith(f"{AS_SHOWN} fails 1 check")


def test_json_holds_all_of_the_card() -> None:
    content = to_dict(CARD)
    assert list(content) == [
        "schema_version",
        "entry",
        "kind",
        "num_features",
        "passed",
        "findings",
        "traits",
        "costs",
        "environment",
    ]
    assert (content["schema_version"], content["passed"], to_dict(PASSING)["passed"]) == (1, False, True)
    assert content["findings"][2] == {
        "check": "input_unchanged",
        "verdict": "fail",
        "measured": "largest change 3.1e-02",
        "meaning": "others that read them read other numbers",
    }
    assert content["traits"]["parameters"] == 1048
    assert content["costs"] == {"step_cost": 1.234, "inference_cost": 2.0}
    assert set(content["environment"]) == {"bnbench", "torch", "python"}


@pytest.mark.parametrize("costs", [Costs(nan, inf), None])
def test_json_is_strict_where_a_number_is_not_known(costs: Costs | None) -> None:
    content = to_dict(replace(CARD, traits=None, costs=costs, entry=STRANGE))
    text = json.dumps(content, allow_nan=False)
    assert json.loads(text) == content
    assert content["traits"] is None
    assert content["costs"] == ({"step_cost": None, "inference_cost": None} if costs else None)


def test_summary_groups_what_norms_have_in_common() -> None:
    stream = StringIO()
    summary = Summary(("ours", "theirs", "odd"), file=stream, width=80)
    summary.add("ours", CARD)
    summary.add("theirs", replace(PASSING, findings=(*PASSING.findings, FINDINGS[1])))
    summary.add_refusal("odd")
    summary.conclude(["norm 'odd' returned [b]nothing"])
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == [
        "norm    pass  note  fail   n/a  kind",
        "ours       1     1     1     1  activation",
        "theirs     1     1     0     1  activation",
        "odd     could not be checked",
        "",
        "Notes",
        "  cost: most of the time of a small network goes into the norm",
        "    ours: 3.2 times",
        "    theirs: 3.2 times",
        "",
        "Fails",
        "  input unchanged: others that read them read other numbers",
        "    ours: largest change 3.1e-02",
        "",
        "Not checked",
        "  norm 'odd' returned [b]nothing",
        "",
        "2 norms checked, 1 with a fail, 1 could not be checked.",
    ]


@pytest.fixture
def meet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., command.Outcome]:
    """Check all of some invented norms, each with its card or its refusal."""

    def run(
        *, as_json: bool = False, broken: tuple[BrokenPlugin, ...] = (), **norms: ReportCard | UserError
    ) -> command.Outcome:
        def check_norm(name: str) -> ReportCard:
            found = norms[name]
            if isinstance(found, UserError):
                raise found
            return found

        monkeypatch.setattr(command, "registered_names", lambda: tuple(norms))
        monkeypatch.setattr(command, "check_norm", check_norm)
        monkeypatch.setattr(command, "broken_plugins", lambda: broken)
        return command.check_all(as_json=as_json)

    return run


BROKEN = BrokenPlugin("gone", "gone-norms 1.0", "ImportError: no such thing", "bnbench.norms")


@pytest.mark.parametrize("as_json", [False, True])
def test_norm_that_cannot_be_built_does_not_take_the_others_down(
    meet: Callable[..., command.Outcome], capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    outcome = meet(odd=UserError("odd indeed"), fine=PASSING, broken=(BROKEN,), as_json=as_json)
    said = capsys.readouterr().out
    assert outcome == command.Outcome(failed=False, refusals=("odd", "gone"))
    if as_json:
        content = json.loads(said)
        assert [card["entry"] for card in content["cards"]] == [PASSING.entry]
        reasons = {each["name"]: each["reason"] for each in content["not_checked"]}
        assert reasons == {"odd": "odd indeed", "gone": "ImportError: no such thing"}
    else:
        assert "odd indeed" in said
        assert "plug-in 'gone' of gone-norms 1.0 cannot be used: ImportError: no such thing" in said
        assert said.rstrip().endswith("1 norm checked, 0 with a fail, 2 could not be checked.")


def test_one_fail_among_all_is_a_fail(meet: Callable[..., command.Outcome]) -> None:
    assert meet(fine=PASSING, wrong=CARD) == command.Outcome(failed=True, refusals=())
    assert meet(fine=PASSING) == command.Outcome(failed=False, refusals=())
