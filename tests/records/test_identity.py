"""Ids never change for the same run, and change for every other."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnbench.errors import UserError
from bnbench.records.identity import canonical_json, digest, run_ids, without_introduction_defaults

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def test_the_digest_of_a_run_is_frozen() -> None:
    """Fails if a change of the canonical text would orphan every record on every disk."""
    run = {
        "workload": {
            "dataset": "digits",
            "lr": 0.1,
            "hidden": [64, 64.0],
            "seeds": 10**20,
            "decay": 1e-7,
            "µ": "ü\n\x01",
        },
        "entry": {"norm": "batch", "affine": True, "momentum": None, "shift": -0.0},
    }
    assert canonical_json(run) == (
        '{"entry":{"affine":true,"momentum":null,"norm":"batch","shift":0},"workload":{"dataset":"digits","decay":1e-07,'
        '"hidden":[64,64],"lr":0.1,"seeds":100000000000000000000,"µ":"ü\\n\\u0001"}}'
    )
    assert digest(run) == "330436305dc2"
    assert run_ids(run) == ("330436305dc2", "936671c86866")


@given(values)
def test_canonical_json_reads_back_equal(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(values)
def test_canonical_json_of_what_it_reads_back_is_the_same(value: Any) -> None:
    assert canonical_json(json.loads(canonical_json(value))) == canonical_json(value)


@given(st.dictionaries(st.text(max_size=5), values, max_size=6), st.randoms(use_true_random=False))
def test_key_order_decides_nothing(mapping: dict[str, Any], random: Any) -> None:
    items = list(mapping.items())
    random.shuffle(items)
    assert canonical_json(dict(items)) == canonical_json(mapping)


@given(numbers, numbers)
def test_numbers_have_one_text_exactly_when_they_are_equal(first: float, second: float) -> None:
    assert (canonical_json(first) == canonical_json(second)) is (first == second)


@given(st.integers(-(2**53), 2**53))
def test_an_integer_and_its_float_are_one_number(value: int) -> None:
    assert canonical_json(float(value)) == canonical_json(value)


def test_minus_zero_is_zero() -> None:
    assert canonical_json(-0.0) == "0"


def test_a_float_of_numpy_is_its_value() -> None:
    assert canonical_json(np.float64(0.1)) == "0.1"


@pytest.mark.parametrize(("one", "other"), [(True, 1), (False, 0), (None, 0), ("1", 1), ([], {}), ("", None)])
def test_values_of_different_json_types_differ(one: Any, other: Any) -> None:
    assert canonical_json(one) != canonical_json(other)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"optimizer": {"lr": [0.1, float("nan")]}}, r"'optimizer\.lr\[1\]' is nan, which JSON cannot hold"),
        ({"lr": float("inf")}, "'lr' is inf"),
        ({"norm": {1: "a"}}, r"'norm' has the key 1 \(int\)"),
        ({"path": object()}, r"'path' is a builtins\.object"),
        ({"n": np.int64(3)}, r"'n' is a numpy\.int64"),
        ({"n": {1, 2}}, r"'n' is a builtins\.set"),
        ({"n": 2**5000}, "an integer of 5001 bits"),
        ({"name": "\ud800"}, "no valid Unicode"),
        ({"\udfff": 1}, "no valid Unicode"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_its_place(value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        canonical_json(value)


def test_an_option_added_later_leaves_old_ids_as_they_are() -> None:
    old = digest({"norm": "batch"} | without_introduction_defaults({}, {}))
    new = digest({"norm": "batch"} | without_introduction_defaults({"sync": True}, {"sync": True}))
    assert new == old


@pytest.mark.parametrize(
    ("value", "default", "kept"),
    [(0.1, 0.1, False), (1.0, 1, False), ((64,), [64], False), (0.2, 0.1, True), (True, 1, True), (0, False, True)],
)
def test_an_option_is_left_out_exactly_at_its_default(value: Any, default: Any, kept: bool) -> None:
    assert without_introduction_defaults({"option": value}, {"option": default}) == ({"option": value} if kept else {})


def test_an_option_without_a_default_is_always_kept() -> None:
    assert without_introduction_defaults({"num_groups": 8}, {"eps": 1e-5}) == {"num_groups": 8}
