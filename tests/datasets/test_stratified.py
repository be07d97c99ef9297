"""Equal shares of every class, drawn as scikit-learn draws them: the split is part of what a cell is."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from bnbench.datasets.stratified import draw_stratified

SHARES = {
    "even": np.full(4, 0.25),
    "uneven": np.array([0.55, 0.3, 0.1, 0.05]),
    "a-class-that-is-absent": np.array([0.5, 0.0, 0.3, 0.2]),
    "two": np.array([0.7, 0.3]),
}


@pytest.mark.parametrize("seed", [0, 1, 12345])
@pytest.mark.parametrize("num_rows", [61, 500, 20_011])
@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
def test_rows_and_draws_are_those_of_scikit_learn(shares: np.ndarray, num_rows: int, seed: int) -> None:
    labels = np.random.default_rng(seed).choice(len(shares), size=num_rows, p=shares)
    ours, theirs = np.random.RandomState(seed), np.random.RandomState(seed)
    rows = np.arange(num_rows)
    for share in (0.2, 0.33):
        left, drawn = draw_stratified(labels[rows], num_rows=round(share * len(rows)), generator=ours)
        expected = train_test_split(
            rows, test_size=round(share * len(rows)), random_state=theirs, stratify=labels[rows]
        )
        assert np.array_equal(rows[left], expected[0])
        assert np.array_equal(rows[drawn], expected[1])
        # so that what is drawn next is the same as well
        assert ours.randint(2**31) == theirs.randint(2**31)
        rows = rows[left]


def test_rows_are_the_same_in_whatever_order() -> None:
    labels = np.random.default_rng(0).integers(0, 5, 1000)
    ordered, plain = (
        draw_stratified(labels, num_rows=200, generator=np.random.RandomState(0), in_order_drawn=in_order)
        for in_order in (True, False)
    )
    for one, other in zip(ordered, plain, strict=True):
        assert not np.array_equal(one, other)
        assert np.array_equal(np.sort(one), np.sort(other))


def test_more_classes_than_two_bytes_count() -> None:
    labels = np.repeat(np.arange(70_000), 3)
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    left, drawn = draw_stratified(labels, num_rows=70_000, generator=ours)
    expected = train_test_split(np.arange(len(labels)), test_size=70_000, random_state=theirs, stratify=labels)
    assert np.array_equal(left, expected[0])
    assert np.array_equal(drawn, expected[1])
