"""A layer that confuses rows with features is caught by the check of the layout, and by no other."""

from collections.abc import Callable

import pytest
from torch import nn

from bnbench.conformance import ReportCard, Verdict, check_norm
from bnbench.conformance.finding import Finding
from bnbench.conformance.registration import CHECKS
from bnbench.conformance.subject import subject_of

Plant = Callable[[str], Callable[..., nn.Module]]


def failed(card: ReportCard) -> dict[str, Finding]:
    return {found.check: found for found in card.of(Verdict.FAIL)}


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("GainOnRows", "activation", "100% of what weight[k] changes lies in row k"),
        ("NormalizedAlongRows", "activation", "depends on its feature with 24 rows and on its row with 26"),
        ("WithoutCentreOnSquares", "activation", "24 rows come out otherwise alone (N = C) than in a batch of 27"),
        ("BiasOnRows", "weight", "100% of what bias[k] changes lies in row k"),
    ],
)
def test_confusion_in_square_batches_fails_and_nothing_else_does(
    plant: Plant, name: str, kind: str, reason: str
) -> None:
    found = failed(check_norm(plant(f"planted_layout:{name}"), kind=kind, with_costs=False))
    assert set(found) == {"layout"}
    assert reason in found["layout"].measured


def test_a_transposed_layer_raises_but_on_square_batches(plant: Plant) -> None:
    # every other check fails too: it meets batches that are not square, on which the layer raises
    found = failed(check_norm(plant("planted_layout:TransposedLayer"), with_costs=False))["layout"]
    assert found.measured.startswith("raises with N ≠ C and not N = C: “RuntimeError: Given normalized_shape=[24]")


def test_instance_norm_fails_by_torchs_own_warning() -> None:
    card = check_norm("torch.nn:InstanceNorm1d", with_costs=False)
    found = failed(card)
    # its kernel has a defect of its own: it takes the mean in half precision
    assert set(found) - {"half_precision_at_offset"} == {"layout"}
    assert found["layout"].measured == (
        "warns with N ≠ C and not N = C: “input's size at dim=0 does not match num_features”"
    )
    assert found["layout"].meaning.startswith("(batch, features) is read as something else")
    with pytest.raises(AssertionError, match="input's size at dim=0 does not match num_features"):
        card.raise_for_failures()


def test_instance_norm_with_affine_fails_by_torchs_own_error() -> None:
    card = check_norm("torch.nn:InstanceNorm1d", options={"affine": True}, with_costs=False)
    assert failed(card)["layout"].measured == (
        "raises with N ≠ C and not N = C: “ValueError: expected input's size at dim=0 to match num_features (24), but "
        "got: 26.”"
    )
    assert card.traits is None


@pytest.mark.parametrize("num_features", [2, 13, 27])
@pytest.mark.parametrize("name", ["torch.nn:LayerNorm", "torch.nn:BatchNorm1d", "weight"])
def test_right_norms_pass_at_any_width(name: str, num_features: int) -> None:
    card = check_norm(name, num_features=num_features, with_costs=False)
    (found,) = (found for found in card.findings if found.check == "layout")
    assert found.verdict is Verdict.PASS, found


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RolledRows", "and none of its own row there"),
        ("MisreadStatistics", "and none of its own feature there"),
    ],
)
def test_confusion_at_every_size_fails(plant: Plant, name: str, reason: str) -> None:
    outcome = CHECKS.get("layout")(subject_of(plant(f"planted_layout:{name}")))
    assert outcome.verdict is Verdict.FAIL
    assert outcome.measured.endswith(reason)


def test_what_is_said_of_small_batches_is_no_confusion(plant: Plant) -> None:
    assert failed(check_norm(plant("planted_layout:WarnsOfFewRows"), with_costs=False)) == {}


def test_batches_that_are_refused_clearly_are_a_note(plant: Plant) -> None:
    card = check_norm(plant("planted_layout:RefusesFewRows"), with_costs=False)
    assert failed(card) == {}
    assert card.traits is not None
    (found,) = (found for found in card.findings if found.check == "declared_minimum_batch")
    assert found.verdict is Verdict.NOTE
    assert found.measured == (
        "the smallest batch it trains on is 25; one row less raises ValueError: needs more rows than features, got a "
        "batch of 24"
    )


def test_norm_that_takes_even_batches_alone_is_fed_such(plant: Plant) -> None:
    assert failed(check_norm(plant("planted_layout:RefusesOddBatches"), with_costs=False)) == {}
