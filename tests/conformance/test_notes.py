"""What is right and worth knowing is a note: likeness, evaluation far from training, company in evaluation, cost."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from torch import nn

from bnbench.conformance import Verdict, check_norm
from bnbench.conformance.finding import Outcome
from bnbench.conformance.registration import CHECKS
from bnbench.conformance.subject import subject_of

Plant = Callable[[str], Callable[..., nn.Module]]


def outcome_of(check: str, target: str | Callable[..., nn.Module], options: Mapping[str, Any] | None = None) -> Outcome:
    return CHECKS.get(check)(subject_of(target, options=options))


@pytest.mark.parametrize(
    ("target", "options", "like"),
    [
        ("torch.nn:LayerNorm", {}, "layer"),
        ("torch.nn:LayerNorm", {"elementwise_affine": False}, "layer(affine=false)"),
        ("torch.nn:BatchNorm1d", {}, "batch"),
        ("torch.nn:BatchNorm1d", {"affine": False}, "batch(affine=false)"),
        ("planted_notes:LayerByHand", {}, "layer"),
    ],
)
def test_a_registered_norm_by_another_name_is_noted(
    plant: Plant, target: str, options: dict[str, Any], like: str
) -> None:
    outcome = outcome_of("likeness", plant(target) if target.startswith("planted") else target, options)
    assert outcome.verdict is Verdict.NOTE
    assert outcome.measured.startswith(f"equal to '{like}' ")
    assert outcome.meaning == f"the same function as '{like}'"


def test_another_eps_is_noted_as_such() -> None:
    outcome = outcome_of("likeness", "torch.nn:RMSNorm")
    assert outcome.verdict is Verdict.NOTE
    assert outcome.meaning == "the same function as 'rms', with another ε or in another precision"


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("layer", {}),
        ("torch.nn:BatchNorm1d", {"momentum": 0.01}),
        ("torch.nn:LayerNorm", {"bias": False}),
        ("planted_notes:AlmostLayer", {}),
    ],
)
def test_a_norm_of_its_own_is_like_none(plant: Plant, target: str, options: dict[str, Any]) -> None:
    outcome = outcome_of("likeness", plant(target) if target.startswith("planted") else target, options)
    assert outcome.verdict is Verdict.PASS, outcome


@pytest.mark.parametrize(
    ("name", "options", "verdict"),
    [
        ("torch.nn:BatchNorm1d", {}, Verdict.NOTE),
        ("torch.nn:BatchNorm1d", {"momentum": None}, Verdict.PASS),
        ("batch", {"unbiased_running_variance": False}, Verdict.NOTE),
        ("torch.nn:BatchNorm1d", {"track_running_stats": False}, Verdict.NOT_APPLICABLE),
        ("torch.nn:LayerNorm", {}, Verdict.NOT_APPLICABLE),
        ("spectral", {}, Verdict.PASS),
    ],
)
def test_evaluation_far_from_training_on_small_batches_is_noted(
    name: str, options: dict[str, Any], verdict: Verdict
) -> None:
    outcome = outcome_of("evaluation_distance", name, options)
    assert outcome.verdict is verdict, outcome


@pytest.mark.parametrize(
    ("name", "verdict", "measured"),
    [
        ("IdleStatistics", Verdict.FAIL, "training never moves mean and variance, with which evaluation computes: "),
        ("IdentityInEvaluation", Verdict.NOTE, "relative distance 0."),
        ("SwappedInEvaluation", Verdict.NOTE, "relative distance 1."),
        ("FixedRotation", Verdict.NOT_APPLICABLE, ""),
    ],
)
def test_evaluation_that_has_nothing_to_do_with_training_is_told(
    plant: Plant, name: str, verdict: Verdict, measured: str
) -> None:
    outcome = outcome_of("evaluation_distance", plant(f"planted_evaluation:{name}"))
    assert outcome.verdict is verdict, outcome
    assert outcome.measured.startswith(measured)


@pytest.mark.parametrize(("track", "verdict"), [(False, Verdict.NOTE), (True, Verdict.PASS)])
def test_company_in_evaluation_is_noted(track: bool, verdict: Verdict) -> None:
    outcome = outcome_of("rows_in_evaluation", "torch.nn:BatchNorm1d", {"track_running_stats": track})
    assert outcome.verdict is verdict, outcome


def test_a_slow_norm_is_noted_and_fails_nothing(plant: Plant) -> None:
    card = check_norm(plant("planted_notes:Slow"))
    assert card.of(Verdict.FAIL) == ()
    (found,) = (found for found in card.findings if found.check == "cost")
    assert found.verdict is Verdict.NOTE
    assert card.costs is not None
    assert card.costs.step_cost > 5  # about 12


def test_the_identity_costs_what_the_identity_costs() -> None:
    costs = check_norm("none").costs
    assert costs is not None
    # 1.0 to a few percent; the bounds hold on a machine that does other things
    assert 0.6 < costs.step_cost < 1.6
    assert 0.6 < costs.inference_cost < 1.6


def test_costs_are_left_out_where_they_are_not_asked_for() -> None:
    card = check_norm("layer", with_costs=False)
    assert card.costs is None
    assert "cost" not in {found.check for found in card.findings}
