"""From rows to a task: labels, the trivial predictor, the checksum, and what is refused."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import root_mean_squared_error

from bnbench.datasets import DatasetConfig, Targets, load
from bnbench.datasets.prepare import prepare
from bnbench.datasets.split import split_rows
from bnbench.datasets.table import Table
from bnbench.errors import UserError

MakeTable = Callable[..., Table]
MakeConfig = Callable[..., DatasetConfig]


def test_trivial_accuracy_is_that_of_the_dummy_classifier(classes: MakeTable, configure: MakeConfig) -> None:
    labels = np.random.default_rng(1).choice(3, size=200, p=[0.2, 0.5, 0.3])
    table = classes(num_rows=200, labels=labels)
    split = split_rows(table, config=configure())
    dummy = DummyClassifier().fit(table.inputs[split.train], labels[split.train])
    expected = dummy.score(table.inputs[split.validation], labels[split.validation])
    assert prepare(table, config=configure()).trivial == pytest.approx(expected, abs=1e-12)


def test_trivial_rmse_is_that_of_the_dummy_regressor_in_original_units(
    amounts: MakeTable, configure: MakeConfig
) -> None:
    config = configure(metric="rmse", direction="min")
    table = amounts()
    split = split_rows(table, config=config)
    dummy = DummyRegressor().fit(table.inputs[split.train], table.labels[split.train])
    predicted = dummy.predict(table.inputs[split.validation])
    expected = root_mean_squared_error(table.labels[split.validation], predicted)
    assert prepare(table, config=config).trivial == pytest.approx(expected, rel=1e-6)


def test_regression_targets_are_standardised_on_the_training_part(amounts: MakeTable, configure: MakeConfig) -> None:
    config = configure(metric="rmse", direction="min")
    table = amounts()
    task = prepare(table, config=config)
    train = table.labels[split_rows(table, config=config).train]
    assert task.train_labels.dtype == torch.float32
    assert task.num_outputs == 1
    assert task.label_scale == pytest.approx(train.std(), rel=1e-12)
    expected = torch.from_numpy((train - train.mean()) / train.std()).float()
    torch.testing.assert_close(task.train_labels, expected)


def test_class_labels_are_int64_in_original_units(classes: MakeTable, configure: MakeConfig) -> None:
    task = prepare(classes(), config=configure())
    assert task.train_labels.dtype == torch.int64
    assert task.label_scale == 1.0
    assert task.num_outputs == 3


def test_inputs_and_labels_of_a_row_stay_together(classes: MakeTable, configure: MakeConfig) -> None:
    inputs = np.arange(60.0)[:, None]
    task = prepare(classes(inputs=inputs), config=configure(preprocessing="none"))
    for part in ("train", "validation", "test"):
        rows = getattr(task, f"{part}_inputs")[:, 0].long()
        assert (getattr(task, f"{part}_labels") == rows % 3).all()


def test_same_rows_and_seed_give_the_same_checksum(classes: MakeTable, configure: MakeConfig) -> None:
    checksums = {prepare(classes(), config=configure()).checksum for _ in range(2)}
    assert len(checksums) == 1
    assert len(checksums.pop()) == 64


@pytest.mark.parametrize(
    "changes", [{"data_seed": 1}, {"preprocessing": "center"}, {"validation_fraction": 0.25}, {"test_fraction": 0.25}]
)
def test_whatever_changes_the_tensors_changes_the_checksum(
    classes: MakeTable, configure: MakeConfig, changes: dict[str, object]
) -> None:
    assert prepare(classes(), config=configure()).checksum != prepare(classes(), config=configure(**changes)).checksum


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_one_changed_value_in_any_part_changes_the_checksum(
    classes: MakeTable, configure: MakeConfig, part: str
) -> None:
    config = configure(preprocessing="none")
    table = classes()
    row = getattr(split_rows(table, config=config), part)[0]
    inputs = table.inputs.copy()
    inputs[row, 1] += 1e-3
    assert prepare(table, config=config).checksum != prepare(classes(inputs=inputs), config=config).checksum


def test_targets_in_other_units_change_the_checksum(amounts: MakeTable, configure: MakeConfig) -> None:
    """Standardised they look the same, but their rmse does not."""
    config = configure(metric="rmse", direction="min")
    table = amounts()
    dollars, cents = (prepare(amounts(labels=table.labels * factor), config=config) for factor in (1, 128))
    assert (dollars.train_labels == cents.train_labels).all()
    assert dollars.checksum != cents.checksum


def test_names_and_targets_do_not_change_the_checksum(classes: MakeTable, configure: MakeConfig) -> None:
    targets = Targets(easy=0.7, medium=0.8, hard=0.9, provenance="by hand")
    plain = prepare(classes(), config=configure())
    named = prepare(classes(), config=configure(name="other", targets=targets, about={"rows": 60}))
    assert named.checksum == plain.checksum
    assert named.targets == {"easy": 0.7, "medium": 0.8, "hard": 0.9, "provenance": "by hand"}
    assert plain.targets is None


@pytest.mark.parametrize("ladder", [(0.9, 0.8, 0.95), (0.7, 0.9, 0.8), (0.0, 0.8, 0.9)])
def test_ladder_that_does_not_climb_from_the_trivial_predictor_is_refused(
    classes: MakeTable, configure: MakeConfig, ladder: tuple[float, float, float]
) -> None:
    with pytest.raises(UserError, match=r"dataset\.targets: .* expected values that climb \(max\) from the accuracy"):
        prepare(classes(), config=configure(targets=Targets(*ladder, provenance="by hand")))


def test_ladder_of_an_error_climbs_downward(amounts: MakeTable, configure: MakeConfig) -> None:
    targets = Targets(easy=1e4, medium=5e3, hard=1e3, provenance="by hand")
    task = prepare(amounts(), config=configure(metric="rmse", direction="min", targets=targets))
    assert task.targets is not None
    with pytest.raises(UserError, match=r"climb \(min\)"):
        prepare(
            amounts(),
            config=configure(metric="rmse", direction="min", targets=Targets(1e3, 5e3, 1e4, provenance="by hand")),
        )


def test_unknown_source_names_the_nearest(configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="unknown data source 'scikit-learn'; did you mean 'scikit_learn'"):
        load(configure(source="scikit-learn"))


def test_unknown_embedded_data_set_names_the_nearest(configure: MakeConfig) -> None:
    with pytest.raises(UserError, match=r"dataset\.name=digit does not ship .* did you mean 'digits'"):
        load(configure(name="digit"))


def test_path_for_an_embedded_data_set_is_refused(configure: MakeConfig) -> None:
    with pytest.raises(UserError, match=r"dataset\.path=digits\.csv: 'digits' ships with scikit-learn"):
        load(configure(name="digits", path="digits.csv"))


def test_unknown_metric_names_the_nearest(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match=r"dataset\.metric=acuracy: unknown metric; did you mean 'accuracy'"):
        prepare(classes(), config=configure(metric="acuracy"))


def test_metric_of_the_other_kind_is_refused(amounts: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match="accuracy is for classification, and 'small' is regression; expected rmse"):
        prepare(amounts(), config=configure())


def test_wrong_direction_is_refused(classes: MakeTable, configure: MakeConfig) -> None:
    with pytest.raises(UserError, match=r"dataset\.direction=min: expected max for the metric accuracy"):
        prepare(classes(), config=configure(direction="min"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_input_that_is_no_finite_float32_is_named_by_column_and_row(classes: MakeTable, value: float) -> None:
    inputs = classes().inputs.copy()
    inputs[[7, 9], 2] = value
    with pytest.raises(
        UserError, match=r"column 2 'age' has 2 missing, infinite or too large values, the first in row 7"
    ):
        classes(inputs=inputs, feature_names=("a", "b", "age", "d"))


def test_label_that_is_missing_is_named_by_row(amounts: MakeTable) -> None:
    labels = amounts().labels.copy()
    labels[3] = np.nan
    with pytest.raises(UserError, match="1 labels are missing, infinite or too large, the first in row 3"):
        amounts(labels=labels)


def test_labels_of_one_class_are_refused(classes: MakeTable) -> None:
    with pytest.raises(UserError, match="all 60 labels are of one class: nothing can be learned"):
        classes(labels=np.zeros(60, dtype=int))


def test_labels_of_one_value_are_refused(amounts: MakeTable) -> None:
    with pytest.raises(UserError, match="all 60 labels are of one value"):
        amounts(labels=np.full(60, 3.5))


@pytest.mark.parametrize("value", [0.0, 0.1])  # NumPy's deviation of equal 0.1 is 3e-17
def test_training_labels_of_one_value_are_refused(amounts: MakeTable, configure: MakeConfig, value: float) -> None:
    config = configure(metric="rmse", direction="min")
    labels = np.full(60, value)
    labels[split_rows(amounts(), config=config).test] = 1.0
    with pytest.raises(UserError, match=rf"all 36 training labels are {value}"):
        prepare(amounts(labels=labels), config=config)


@pytest.mark.parametrize("shape", [(0, 4), (60, 0), (60,), (60, 2, 2)])
def test_inputs_that_are_no_table_are_refused(classes: MakeTable, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"expected \(rows, features\)"):
        classes(inputs=np.zeros(shape))


def test_labels_of_another_length_are_refused(classes: MakeTable) -> None:
    with pytest.raises(UserError, match=r"labels of shape \(59,\) for 60 rows"):
        classes(labels=np.arange(59) % 3)


def test_loss_and_metric_follow_the_labels_where_they_are_left_open(
    classes: MakeTable, amounts: MakeTable, configure: MakeConfig
) -> None:
    config = configure(metric=None, direction=None)
    for table, expected in ((classes(), ("cross_entropy", "accuracy", "max")), (amounts(), ("mse", "rmse", "min"))):
        task = prepare(table, config=config)
        assert (task.loss, task.metric_name, task.direction) == expected


def test_direction_follows_the_metric_where_it_is_left_open(classes: MakeTable, configure: MakeConfig) -> None:
    assert prepare(classes(), config=configure(direction=None)).direction == "max"


def test_binary_loss_has_one_output_for_two_classes(classes: MakeTable, configure: MakeConfig) -> None:
    task = prepare(classes(num_classes=2), config=configure(loss="binary"))
    assert (task.loss, task.num_outputs) == ("binary", 1)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("crossentropy", r"dataset\.loss=crossentropy: unknown loss; did you mean 'cross_entropy'"),
        ("huber", "loss=huber is for regression, 'small' is classification; expected cross_entropy, binary"),
        ("binary", "loss=binary: 'small' has 3 classes, expected 2"),
    ],
)
def test_loss_that_does_not_fit_is_refused(classes: MakeTable, configure: MakeConfig, loss: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare(classes(), config=configure(loss=loss))


def test_report_says_what_is_in_the_rows_and_how_they_are_split(amounts: MakeTable, configure: MakeConfig) -> None:
    inputs = amounts().inputs.copy()
    inputs[:, 1] = 3.0
    table = amounts(inputs=inputs, labels=np.arange(60.0) ** 2, feature_names=("a", "b", "c", "d"), notes=("as read",))
    assert prepare(table, config=configure(metric="rmse", direction="min")).report == (
        "60 rows, 4 columns of numbers",
        "1 constant in the training part: 'b'",
        "as read",
        "regression: from 0 to 3481, mean 1170",
        "split: 36 training, 12 validation, 12 test rows; at random (dataset.split=auto, data_seed=0)",
    )


def test_class_that_is_not_in_a_part_is_in_the_report(classes: MakeTable, configure: MakeConfig) -> None:
    """Rows in the order of time: the last class comes late."""
    labels = np.array([0, 1] * 29 + [2, 2])
    labels[3] = 2
    table = classes(labels=labels, split_values=np.arange(60))
    report = prepare(table, config=configure(split="time", split_column="day")).report
    assert "no row of 'c' in the validation part" in report


def test_feature_names_are_those_of_the_columns(classes: MakeTable, configure: MakeConfig) -> None:
    table = classes(feature_names=("a", "b", "c", "d"))
    assert prepare(table, config=configure()).feature_names == ("a", "b", "c", "d")
    assert prepare(table, config=configure(preprocessing="whiten")).feature_names == (), "components have no name"
