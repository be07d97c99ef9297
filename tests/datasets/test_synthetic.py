"""Generated data sets: what is asked for varies, and nothing else."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from bnbench.datasets import DatasetConfig, load
from bnbench.datasets.sources.synthetic import spirals, teacher
from bnbench.datasets.table import Table
from bnbench.errors import UserError


def configure(name: str = "teacher", **options: Any) -> DatasetConfig:
    return DatasetConfig(name=name, source=name, preprocessing="none", options=options)


def condition_number(table: Table) -> float:
    return float(np.linalg.cond(np.cov(np.asarray(table.inputs), rowvar=False)))


@pytest.mark.parametrize("asked", [1.0, 1e2, 1e4, 1e6, 1e8])
def test_inputs_of_the_teacher_are_as_ill_conditioned_as_asked(asked: float) -> None:
    table = teacher(configure(condition_number=asked))
    # the covariance of 20,000 rows of 64 features is off by up to (1 ± √(64 / 20,000))², a ratio of 1.25
    assert asked / 1.3 < condition_number(table) < asked * 1.3
    assert float(np.var(table.inputs, axis=0).mean()) == pytest.approx(1.0, rel=0.02)


def test_whitened_inputs_are_nearly_the_identity_where_nothing_is_asked() -> None:
    covariance = np.cov(np.asarray(teacher(configure()).inputs), rowvar=False)
    assert float(np.abs(covariance - np.eye(64)).max()) < 0.05


@pytest.mark.parametrize("offset", [0.0, 3.0, -1e3])
def test_every_feature_has_the_mean_that_is_asked(offset: float) -> None:
    means = np.asarray(teacher(configure(mean_offset=offset)).inputs).mean(axis=0)
    assert means == pytest.approx(np.full(64, offset), abs=0.05)


@pytest.mark.parametrize("classes", [0, 2, 10])
@pytest.mark.parametrize("changes", [{"condition_number": 1e6}, {"mean_offset": 100.0}])
def test_labels_stay_the_same_to_the_bit_as_the_conditioning_varies(classes: int, changes: dict[str, float]) -> None:
    plain = teacher(configure(rows=500, classes=classes))
    changed = teacher(configure(rows=500, classes=classes, **changes))
    assert plain.labels.tobytes() == changed.labels.tobytes()
    assert not np.array_equal(plain.inputs, changed.inputs)


def test_split_stays_the_same_as_the_conditioning_varies() -> None:
    plain, changed = load(configure(rows=500)), load(configure(rows=500, condition_number=1e4))
    assert plain.train_labels.tolist() == changed.train_labels.tolist()
    assert plain.checksum != changed.checksum


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"depth": 3}, {"width": 65}, {"classes": 9}, {"features": 63}, {"rows": 499}]
)
def test_every_other_option_changes_the_labels(changes: dict[str, int]) -> None:
    plain, changed = teacher(configure(rows=500)), teacher(configure(**({"rows": 500} | changes)))
    assert plain.labels.tolist() != changed.labels.tolist()


def test_classes_of_the_teacher_are_of_like_size() -> None:
    counts = np.bincount(teacher(configure()).labels)
    assert counts.max() < 2 * counts.min()


def test_the_same_seed_is_the_same_data_set() -> None:
    assert load(configure(rows=500)).checksum == load(configure(rows=500)).checksum


def test_amounts_of_the_teacher_are_standardised() -> None:
    labels = teacher(configure(classes=0)).labels
    assert (float(labels.mean()), float(labels.std())) == pytest.approx((0.0, 1.0), abs=1e-9)


def test_no_straight_line_tells_the_arms_of_the_spirals_apart() -> None:
    table = spirals(configure("spirals"))
    linear = LogisticRegression().fit(table.inputs, table.labels)
    assert linear.score(table.inputs, table.labels) < 0.5  # a third by chance
    assert np.bincount(table.labels).tolist() == [2000] * 3


def test_arms_of_the_spirals_lie_where_the_formula_says() -> None:
    table = spirals(configure("spirals", rows=400, arms=2, noise=0.0, turns=0.5))
    x, y = np.asarray(table.inputs).T
    radius = np.hypot(x, y)
    angle = np.arctan2(y, x)
    told = angle - 2 * np.pi * (0.5 * radius + table.labels / 2)
    assert np.abs(np.exp(1j * told) - 1).max() < 1e-9
    assert radius.max() <= 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("teacher", {"condition_numbr": 10.0}, "options.condition_numbr: .* did you mean 'condition_number'"),
        ("teacher", {"condition_number": 0.5}, "condition_number=0.5: expected a number of at least 1"),
        ("teacher", {"condition_number": float("inf")}, "condition_number=inf: expected a number"),
        ("teacher", {"condition_number": "high"}, "condition_number='high': expected a number"),
        ("teacher", {"rows": 0}, "rows=0: expected a number above 0"),
        ("teacher", {"rows": 10.5}, "rows=10.5: expected a whole number"),
        ("teacher", {"rows": True}, "rows=True: expected a whole number"),
        ("teacher", {"classes": 1}, "classes=1: expected 2 or more, or 0 for regression"),
        ("teacher", {"seed": -1}, "seed=-1: expected a number of at least 0"),
        ("spirals", {"arms": 1}, "arms=1: expected 2 or more"),
        ("spirals", {"noise": -0.1}, "noise=-0.1: expected a number of at least 0"),
        ("spirals", {"depth": 2}, "options.depth: no option of 'spirals'"),
    ],
)
def test_option_that_makes_no_data_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(configure(name, **options))


def test_generated_data_sets_read_no_file() -> None:
    with pytest.raises(UserError, match="'teacher' is generated and reads no file"):
        load(DatasetConfig(name="teacher", source="teacher", preprocessing="none", path="x.csv"))
