"""What a registered norm declares and does not do is caught, each by its own check."""

from collections.abc import Callable

import pytest
from torch import nn

from bnbench.conformance import Verdict, check_norm
from bnbench.conformance.finding import Finding
from bnbench.errors import UserError
from bnbench.norms import NORMS, norm

Plant = Callable[[str], Callable[..., nn.Module]]


@pytest.fixture
def register(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Register a planted norm for one test; what it declares is said there."""
    monkeypatch.setattr(NORMS, "_entries", dict(NORMS._entries))

    def registered(planted: str, **declared: object) -> str:
        name = f"planted_{planted.lower()}"
        norm(name, version=1, **declared)(plant(f"planted_declared:{planted}"))
        return name

    return registered


def findings(name: str) -> dict[str, Finding]:
    return {found.check: found for found in check_norm(name, with_costs=False).findings}


def failed(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if finding.verdict is Verdict.FAIL}


@pytest.mark.parametrize(
    ("planted", "declared", "check", "measured"),
    [
        # what trains on batches of 2 or more and says that it trains on any is wrong about both
        ("TrainsOneRow", {"batch_coupled": False}, "declared_batch_coupled", "rows are coupled in training"),
        ("RowsAlone", {"batch_coupled": True}, "declared_batch_coupled", "rows are independent in training"),
        (
            "TrainsOneRow",
            {"batch_coupled": True},
            "declared_minimum_batch",
            "a batch of 1 trains, declared are at least",
        ),
        ("StraightActivation", {}, "declared_activation", "off a straight line by"),
        ("StartsAnew", {"kind": "weight"}, "starts_at_weights", "made from two different Linears it computes the same"),
    ],
)
def test_a_false_declaration_fails_its_check_and_no_other(
    register: Callable[..., str], planted: str, declared: dict[str, object], check: str, measured: str
) -> None:
    found = findings(register(planted, **declared))
    assert failed(found) == {check}
    assert found[check].measured.startswith(measured)


def test_a_batch_that_is_declared_and_refused_fails(register: Callable[..., str]) -> None:
    found = findings(register("RefusesTwoRows", batch_coupled=True))
    assert "a batch of 2 raises ValueError: needs at least 3 rows" in found["declared_minimum_batch"].measured
    # others feed batches of two rows as well
    assert failed(found) <= {"declared_minimum_batch", "finite_on_two_rows", "output_shape", "state_keeps_shape"}


def test_a_minimum_that_is_declared_is_held(register: Callable[..., str]) -> None:
    found = findings(register("RefusesTwoRows", batch_coupled=True, minimum_batch=3))
    assert found["declared_minimum_batch"].verdict is Verdict.PASS
    assert found["declared_minimum_batch"].measured.startswith("a batch of 3 trains, one of 2 raises ValueError: needs")
    assert failed(found) == set()


@pytest.mark.parametrize("minimum", [0, -1, 2.0, True])
def test_a_minimum_that_is_none_is_refused(minimum: object) -> None:
    with pytest.raises(UserError, match=r"minimum_batch=.*: expected a whole number of at least 1$"):
        norm("planted_none", version=1, minimum_batch=minimum)(nn.LayerNorm)


def test_true_declarations_pass(register: Callable[..., str]) -> None:
    found = findings(register("Centring", batch_coupled=True))
    assert failed(found) == set()
    for check in ("declared_batch_coupled", "declared_minimum_batch", "batch_statistics"):
        assert found[check].verdict is Verdict.PASS, found[check]


def test_a_nonlinearity_that_is_declared_passes(register: Callable[..., str]) -> None:
    assert findings(register("BentActivation"))["declared_activation"].verdict is Verdict.PASS


def test_statistics_of_a_rank_alone_are_a_note_for_others_and_a_fail_for_ours(
    register: Callable[..., str], plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = register("LocalMean", batch_coupled=True)
    found = findings(name)
    assert failed(found) == set()
    assert found["batch_statistics"].verdict is Verdict.NOTE
    monkeypatch.setattr(plant("planted_declared:LocalMean"), "__module__", "bnbench.norms.planted")
    assert failed(findings(name)) == {"batch_statistics"}


def test_who_declares_nothing_is_not_asked(plant: Plant) -> None:
    card = check_norm(plant("planted_declared:TrainsOneRow"), with_costs=False)
    verdicts = {found.check: found.verdict for found in card.findings}
    for check in ("declared_batch_coupled", "declared_minimum_batch", "batch_statistics", "starts_at_weights"):
        assert verdicts[check] is Verdict.NOT_APPLICABLE, check
