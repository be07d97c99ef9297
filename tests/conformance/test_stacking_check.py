"""Replicas of a stack that differ from single ones are a fail; where a stack is refused it is a note."""

from collections.abc import Callable

import pytest
from torch import nn

from bnbench.conformance import Verdict, check_norm
from bnbench.conformance.checks import stacking
from bnbench.conformance.finding import Finding
from bnbench.conformance.registration import CHECKS
from bnbench.conformance.subject import subject_of

Plant = Callable[[str], Callable[..., nn.Module]]


def failed(planted: Callable[..., nn.Module]) -> dict[str, Finding]:
    return {found.check: found for found in check_norm(planted, with_costs=False).of(Verdict.FAIL)}


def test_a_silent_difference_under_vmap_fails(plant: Plant) -> None:
    found = failed(plant("planted_stacking:WrongRule"))
    assert set(found) == {"stacking"}
    assert found["stacking"].measured.startswith("stacked and single replicas differ by ")


def test_replicas_that_share_a_count_fail(plant: Plant) -> None:
    found = failed(plant("planted_stacking:CountsCalls"))
    assert "gives other results when a second replica runs beside it" in found["stacking"].measured


def test_what_vmap_refuses_is_a_note(plant: Plant) -> None:
    planted = plant("planted_stacking:DecidesByTheData")
    assert failed(planted) == {}
    outcome = CHECKS.get("stacking")(subject_of(planted))
    assert outcome.verdict is Verdict.NOTE
    assert outcome.measured.startswith(
        "not vmappable: RuntimeError: vmap: It looks like you're attempting to use a Tensor"
    )


@pytest.mark.parametrize(
    ("name", "agreement"),
    [
        ("batch", "stacked equals single bit for bit, a larger stack a stack of one bit for bit"),
        ("layer", "a larger stack a stack of one bit for bit"),
        ("torch.nn:BatchNorm1d", "a larger stack a stack of one to "),
    ],
)
def test_a_pass_says_how_well_they_agree(name: str, agreement: str) -> None:
    outcome = CHECKS.get("stacking")(subject_of(name))
    assert outcome.verdict is Verdict.PASS
    assert agreement in outcome.measured


def test_an_inverse_of_a_covariance_is_no_defect(plant: Plant) -> None:
    outcome = CHECKS.get("stacking")(subject_of(plant("planted_stacking:Whitening")))
    assert outcome.verdict is Verdict.PASS, outcome


def test_what_is_gone_in_float64_is_rounding(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tolerance that only float64 meets: the whitening then differs in float32."""
    monkeypatch.setattr(stacking, "TOLERANCE", 1e-10)
    outcome = stacking.stacking(subject_of(plant("planted_stacking:Whitening")))
    assert outcome.verdict is Verdict.NOTE
    assert "in float32, not in float64" in outcome.measured
    monkeypatch.undo()
    assert stacking.stacking(subject_of(plant("planted_stacking:WrongRule"))).verdict is Verdict.FAIL
