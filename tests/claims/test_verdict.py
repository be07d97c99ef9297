"""The verdict comes from the interval: of a part by its regions, of a claim by its parts."""

from math import exp, inf, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bnbench.claims.claim import Part, Region, Values
from bnbench.claims.verdict import Verdict, in_words, judge, verdict_of_claim, verdict_of_part
from bnbench.scoring.intervals import Interval

H, P, F, I = Verdict.HOLDS, Verdict.PARTIAL, Verdict.FAILS, Verdict.INCONCLUSIVE  # noqa: E741
TWICE = Region(low=2.0)
FASTER = Region(low=1.0)


@pytest.mark.parametrize(
    ("low", "high", "without_direction", "with_direction"),
    [
        (2.0, 2.5, H, H),
        (1.9, 2.5, I, I),  # straddles what the claim says
        (1.2, 1.9, F, P),
        (0.8, 1.2, F, I),  # straddles the direction
        (0.5, 0.8, F, F),
        (-inf, inf, I, I),  # nothing is known
        (2.5, inf, H, H),  # at least 2.5
        (-inf, 0.9, F, F),  # at most 0.9
    ],
)
def test_a_part_is_judged_by_its_whole_interval(
    low: float, high: float, without_direction: Verdict, with_direction: Verdict
) -> None:
    assert verdict_of_part(low, high, holds=TWICE) is without_direction
    assert verdict_of_part(low, high, holds=TWICE, direction=FASTER) is with_direction


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([H], H),
        ([P], P),
        ([F], F),
        ([I], I),
        ([H, H, H], H),
        ([H, H, P], P),
        ([H, H, F], P),
        ([H, F, F, F], P),
        ([H, H, I], P),
        ([H, I], P),
        ([H, I, I], I),
        ([F, F, I], F),
        ([F, I, I], I),
        ([P, F, I, I, I], I),
    ],
)
def test_a_claim_of_several_parts_needs_all_of_them_to_hold_and_some_of_them_to_be_partial(
    parts: list[Verdict], expected: Verdict
) -> None:
    assert verdict_of_claim(parts) is expected


@given(st.lists(st.sampled_from([H, P, F, I]), min_size=1), st.randoms())
def test_the_order_of_parts_decides_nothing(parts: list[Verdict], random: object) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert verdict_of_claim(parts) is verdict_of_claim(shuffled)


@given(st.lists(st.sampled_from([P, F, I]), min_size=1))
def test_no_claim_holds_of_which_no_part_does(parts: list[Verdict]) -> None:
    assert verdict_of_claim(parts) is not H


def test_the_mean_of_symmetric_seeds_has_student_s_interval_with_the_standard_error_of_few_seeds() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    [found] = judge([Part("a", statement="", holds=TWICE)], {"a": values})
    half = float(stats.t.ppf(0.975, 4)) * float(values.std(ddof=1)) / np.sqrt(5 - 1)  # wider by √(n/(n−1))
    assert found.estimate == 3.0
    assert found.low == pytest.approx(3 - half, rel=1e-12)
    assert found.high == pytest.approx(3 + half, rel=1e-12)
    assert found.seeds == 5


def test_a_geometric_mean_is_the_mean_of_logarithms_in_the_units_of_the_ratio() -> None:
    ratios = np.array([1.0, 2.0, 4.0])
    part = Part("a", statement="", holds=TWICE)
    [of_logs] = judge([part], {"a": np.log(ratios)})
    [found] = judge([Part("a", statement="", holds=TWICE, judged="geometric mean")], {"a": ratios})
    assert found.estimate == pytest.approx(2.0)
    assert log(found.low) == pytest.approx(of_logs.low)
    assert found.high == pytest.approx(exp(of_logs.high))


def test_every_seed_must_comply_where_the_part_says_so() -> None:
    part = Part("a", statement="", holds=Region(high=1e-6), judged="every")
    assert judge([part], {"a": [0.0, 1e-9, 9e-7]})[0].verdict is H
    assert judge([part], {"a": [0.0, 1e-9, 2e-6]})[0].verdict is I
    assert judge([part], {"a": [inf, 2e-6]})[0].verdict is F


def test_an_interval_of_its_own_is_open_where_it_is_none() -> None:
    part = Part("a", statement="", holds=TWICE)
    assert judge([part], {"a": Interval(3.0, 2.1, None)})[0].verdict is H
    assert judge([part], {"a": Interval(3.0, None, None)})[0].verdict is I


def test_one_seed_decides_nothing() -> None:
    assert judge([Part("a", statement="", holds=TWICE)], {"a": [100.0]})[0].verdict is I


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"b": [1.0]}, r"values of \['b'\]; expected those of the parts \['a'\]"),
        ({"a": [1.0, nan]}, "a lost seed must count as something"),
        ({"a": [1.0, inf]}, "a lost seed must count as something"),
        ({"a": []}, "expected one per seed"),
        ({"a": [[1.0]]}, "expected one per seed"),
    ],
)
def test_values_that_cannot_be_judged_are_refused(values: dict[str, Values], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judge([Part("a", statement="", holds=TWICE)], values)


def test_a_geometric_mean_takes_no_negative_ratio() -> None:
    with pytest.raises(ValueError, match="positive ratios"):
        judge([Part("a", statement="", holds=TWICE, judged="geometric mean")], {"a": [1.0, -1.0]})


@pytest.mark.parametrize(("scope", "said"), [("exact", "fails"), ("transfer", "not seen in MLPs")])
def test_other_networks_refute_nothing(scope: str, said: str) -> None:
    assert in_words(F, scope) == said  # type: ignore[arg-type]
    assert in_words(P, scope) == "partial"  # type: ignore[arg-type]
