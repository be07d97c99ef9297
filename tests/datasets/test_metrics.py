"""Every metric against torchmetrics, what leaves it alone, where it has no value, and what knowing nothing scores."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, multiclass_auroc

from bnbench.datasets import DatasetConfig, Targets
from bnbench.datasets.collectors import ECE_BINS, log_odds, make_collector
from bnbench.datasets.metrics import check_defined, checked_metric, trivial_value
from bnbench.datasets.prepare import prepare
from bnbench.datasets.row_errors import class_scores
from bnbench.datasets.table import Table
from bnbench.errors import UserError
from bnbench.metric_facts import METRICS

MakeTable = Callable[..., Table]
MakeConfig = Callable[..., DatasetConfig]
Oracle = Callable[..., float]

CATALOGUE = sorted((Path(__file__).parents[2] / "conf" / "dataset").glob("*.yaml"))
OF_CLASSES = [metric for metric, facts in METRICS.items() if facts.kind == "classification"]
OF_AMOUNTS = [metric for metric, facts in METRICS.items() if facts.kind == "regression"]
# only which output is the largest matters to these
OF_THE_LARGEST = ("accuracy", "balanced_accuracy", "macro_f1")
NEEDS_LABELS_THAT_DIFFER = ("auroc", "r2")
# torchmetrics bins in float32, whatever it is given
ORACLE_PRECISION = dict.fromkeys(METRICS, 1e-6) | {"ece": 1e-5}


def rows_of(kind: str, *, classes: int = 3, rows: int = 61, replicas: int = 4) -> tuple[Tensor, Tensor]:
    """Outputs (replicas, rows, classes) and labels (rows,); no class, or one, makes amounts."""
    stream = torch.Generator().manual_seed(classes)
    outputs = torch.randn(replicas, rows, max(classes, 1), generator=stream, dtype=torch.float64)
    if classes < 2:
        return outputs, outputs[0, :, 0] + torch.randn(rows, generator=stream, dtype=torch.float64)
    labels = torch.randint(classes, (rows,), generator=stream)
    labels[:classes] = torch.arange(classes)
    outputs += 1.5 * torch.nn.functional.one_hot(labels, classes)
    if kind == "ties":
        outputs = outputs.round()
    if kind == "sure":
        outputs *= 10
    if kind == "absent":
        labels[labels == classes - 1] = 0
    if kind == "rare":
        labels[labels == classes - 1] = 0
        labels[-1] = classes - 1
    return outputs, labels


def measure(metric: str, outputs: Tensor, labels: Tensor, *, cuts: Sequence[int] = (), label_scale: float = 1.0) -> Any:
    """The metric of every replica, from rows that come in parts cut at `cuts`."""
    collector = make_collector(metric, label_scale=label_scale)
    edges = [0, *sorted(cuts), len(labels)]
    for start, stop in pairwise(edges):
        if stop > start:
            collector.add(outputs[:, start:stop], labels[start:stop].expand(len(outputs), -1))
    values = collector.values()
    assert (values.dtype, values.shape) == (torch.float64, (len(outputs),))
    return values.numpy()


def example(metric: str, kind: str = "plain", **sizes: int) -> tuple[Tensor, Tensor]:
    return rows_of(kind, **({"classes": 3 if metric in OF_CLASSES else 1} | sizes))


CASES = [
    pytest.param(metric, kind, classes, id=f"{metric}-{kind}-{classes}")
    for metric in OF_CLASSES
    for kind in ("plain", "ties", "sure", "absent", "rare")
    for classes in (2, 3, 10)
    if not (metric == "auroc" and kind == "absent" and classes == 2)  # not defined
] + [pytest.param(metric, "plain", 1, id=metric) for metric in OF_AMOUNTS]


@pytest.mark.parametrize(("metric", "kind", "classes"), CASES)
def test_metric_is_that_of_torchmetrics(metric: str, kind: str, classes: int, expected_metric: Oracle) -> None:
    outputs, labels = rows_of(kind, classes=classes)
    expected = [expected_metric(metric, each, labels, label_scale=2.5) for each in outputs]
    found = measure(metric, outputs, labels, cuts=(20, 21, 50), label_scale=2.5)
    np.testing.assert_allclose(found, expected, rtol=ORACLE_PRECISION[metric], atol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_float32_outputs_give_the_same_metric_to_their_precision(metric: str, expected_metric: Oracle) -> None:
    outputs, labels = example(metric, rows=500)
    labels = labels if metric in OF_CLASSES else labels.float()
    expected = [expected_metric(metric, each, labels) for each in outputs.float()]
    np.testing.assert_allclose(measure(metric, outputs.float(), labels), expected, rtol=ORACLE_PRECISION[metric])


@pytest.mark.parametrize("metric", METRICS)
@given(cuts=st.lists(st.integers(0, 61), max_size=4), seed=st.integers(0, 2**16))
def test_order_and_parts_of_the_rows_do_not_matter(metric: str, cuts: list[int], seed: int) -> None:
    outputs, labels = example(metric, "ties")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    shuffled = measure(metric, outputs[:, order], labels[order], cuts=cuts)
    np.testing.assert_allclose(shuffled, measure(metric, outputs, labels), rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("metric", METRICS)
def test_replica_measures_the_same_bit_for_bit_alone_and_in_a_stack(
    metric: str, dtype: torch.dtype, classes: int
) -> None:
    outputs, labels = example(
        metric, rows=512 + 37, replicas=7, **({"classes": classes} if metric in OF_CLASSES else {})
    )
    # as a stack of layers leaves them: (replicas, outputs, rows) in memory
    outputs = outputs.to(dtype).transpose(1, 2).contiguous().transpose(1, 2)
    together = measure(metric, outputs, labels, cuts=(512,))
    alone = [measure(metric, outputs[place : place + 1].clone(), labels, cuts=(512,))[0] for place in range(7)]
    assert together.tolist() == alone


@pytest.mark.parametrize("metric", OF_CLASSES)
@given(seed=st.integers(0, 2**16))
def test_names_of_the_classes_do_not_matter(metric: str, seed: int) -> None:
    outputs, labels = rows_of("plain", classes=4)
    renamed = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    found = measure(metric, outputs[:, :, renamed.argsort()], renamed[labels])
    np.testing.assert_allclose(found, measure(metric, outputs, labels), rtol=1e-12)


@pytest.mark.parametrize("metric", OF_CLASSES)
@given(shift=st.floats(-50, 50))
def test_the_same_number_on_all_logits_of_a_row_does_not_matter(metric: str, shift: float) -> None:
    outputs, labels = rows_of("plain", classes=3)
    shifts = shift * torch.linspace(-1, 1, len(labels), dtype=torch.float64)[:, None]
    np.testing.assert_allclose(measure(metric, outputs + shifts, labels), measure(metric, outputs, labels), rtol=1e-9)


@pytest.mark.parametrize(("metric", "classes"), [*((metric, 3) for metric in OF_THE_LARGEST), ("auroc", 2)])
@given(factor=st.floats(1e-3, 1e3))
def test_metrics_of_order_alone_do_not_see_how_sure_a_network_is(metric: str, classes: int, factor: float) -> None:
    outputs, labels = rows_of("plain", classes=classes)
    assert measure(metric, factor * outputs, labels).tolist() == measure(metric, outputs, labels).tolist()


@pytest.mark.parametrize("metric", OF_AMOUNTS)
@given(factor=st.floats(1e-3, 1e3))
def test_errors_are_in_the_units_of_the_labels_and_shares_have_none(metric: str, factor: float) -> None:
    outputs, labels = example(metric)
    in_units = factor if METRICS[metric].in_label_units else 1.0
    plain = measure(metric, outputs, labels)
    np.testing.assert_allclose(measure(metric, outputs, labels, label_scale=factor), in_units * plain, rtol=1e-12)
    np.testing.assert_allclose(measure(metric, factor * outputs, factor * labels), in_units * plain, rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 2**16), classes=st.integers(2, 4), size=st.floats(0, 100))
def test_values_lie_where_the_metric_can_be_and_a_right_network_is_at_the_better_end(
    metric: str, seed: int, classes: int, size: float
) -> None:
    stream = torch.Generator().manual_seed(seed)
    rows = 12
    outputs = size * torch.randn(2, rows, classes if metric in OF_CLASSES else 1, generator=stream, dtype=torch.float64)
    labels = torch.arange(rows) % classes if metric in OF_CLASSES else torch.arange(rows, dtype=torch.float64)
    low, high = METRICS[metric].possible
    values = measure(metric, outputs, labels)
    assert ((values >= low) & (values <= high)).all()
    best = 1000 * torch.nn.functional.one_hot(labels, classes) if metric in OF_CLASSES else labels[:, None]
    right = measure(metric, best.double()[None], labels)
    assert right[0] == (high if METRICS[metric].direction == "max" else low)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_area_is_that_of_the_probabilities(classes: int) -> None:
    outputs, labels = rows_of("plain", classes=classes)
    for found, probabilities in zip(measure("auroc", outputs, labels), outputs.softmax(-1), strict=True):
        expected = multiclass_auroc(probabilities, labels, num_classes=classes)
        assert found == pytest.approx(expected.item(), rel=1e-6)
        if classes == 2:
            assert found == pytest.approx(binary_auroc(probabilities[:, 1], labels).item(), rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_calibration_error_is_the_published_sum_over_bins(classes: int) -> None:
    outputs, labels = rows_of("plain", classes=classes, rows=500)
    for found, logits in zip(measure("ece", outputs, labels), outputs.numpy(), strict=True):
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        confidence, right = probabilities.max(1), probabilities.argmax(1) == labels.numpy()
        chosen = [(confidence * ECE_BINS).astype(int) == number for number in range(ECE_BINS)]
        gaps = [each.mean() * abs(right[each].mean() - confidence[each].mean()) for each in chosen if each.any()]
        assert found == pytest.approx(sum(gaps), rel=1e-12)


def test_sure_rows_lie_in_the_last_bin() -> None:
    """torchmetrics puts a confidence of exactly 1 into a sixteenth bin, where errors of both could not cancel."""
    gap = 1 / ECE_BINS
    logits = torch.tensor([[2.0, math.log((1 - gap / 2) / (gap / 2)), 2000.0]], dtype=torch.float64)
    outputs = torch.stack([torch.zeros_like(logits), logits], dim=-1)
    labels = torch.tensor([1, 1, 0])
    probability = 1 / (1 + math.exp(-2))
    expected = (1 - probability + abs((1 + 0) - (1 - gap / 2 + 1))) / 3
    assert measure("ece", outputs, labels)[0] == pytest.approx(expected, rel=1e-12)


def test_scores_that_round_to_one_still_rank() -> None:
    """The probabilities of both rows are 1 in float32."""
    outputs = torch.tensor([[[40.0, 0.0, 0.0], [60.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    assert (outputs.softmax(-1)[0, :2, 0] == 1).all()
    odds = log_odds(outputs)[0, :, 0]
    assert odds[1] > odds[0] > odds[2]
    expected = (outputs.double().softmax(-1)[0, 2, 0] / (1 - outputs.double().softmax(-1)[0, 2, 0])).log()
    assert odds[2] == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("metric", OF_CLASSES)
def test_one_output_measures_as_two_logits_of_which_the_first_is_zero(metric: str) -> None:
    outputs, labels = rows_of("plain", classes=2)
    logit = outputs[..., 1:] - outputs[..., :1]
    found = measure(metric, class_scores(logit, loss="binary"), labels)
    np.testing.assert_allclose(found, measure(metric, outputs, labels), rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_outputs_that_are_no_numbers_spoil_their_replica_only(metric: str) -> None:
    outputs, labels = example(metric)
    sound = measure(metric, outputs, labels)
    outputs[1, 7] = math.nan
    found = measure(metric, outputs, labels)
    assert found[[0, 2, 3]].tolist() == sound[[0, 2, 3]].tolist()
    assert math.isnan(found[1]) != (metric in OF_THE_LARGEST)


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("metric", METRICS)
def test_metric_is_refused_where_it_has_no_value_and_else_has_one(metric: str, part: str) -> None:
    """All labels of a part are the same: nothing to order, nothing to explain."""
    outputs, labels = example(metric)
    differing, same = labels.numpy(), np.full_like(labels.numpy(), 1)
    parts = {"train": differing, "validation": differing, "test": differing}
    names = ("a", "b", "c") if metric in OF_CLASSES else ()
    check_defined(metric, parts, class_names=names, name="small")
    if metric in NEEDS_LABELS_THAT_DIFFER:
        held = "of class 'b'" if names else "equal"
        message = (
            rf"dataset.metric={metric} is not defined on the {part} part of 'small': all 61 labels there are {held}"
        )
        with pytest.raises(UserError, match=message):
            check_defined(metric, parts | {part: same}, class_names=names, name="small")
    else:
        check_defined(metric, parts | {part: same}, class_names=names, name="small")
        assert np.isfinite(measure(metric, outputs, torch.from_numpy(same))).all()


@pytest.mark.parametrize("metric", METRICS)
def test_trivial_value_is_the_metric_of_a_constant_prediction(metric: str, expected_metric: Oracle) -> None:
    stream = np.random.default_rng(0)
    if metric in OF_CLASSES:
        train, labels = (stream.choice(3, size=size, p=[0.2, 0.5, 0.3]) for size in (300, 90))
        constant = torch.tensor([[np.mean(train == label) for label in range(3)]], dtype=torch.float64).log()
    else:
        train, labels = (stream.normal(size=size).astype(np.float32) for size in (300, 90))
        constant = torch.zeros(1, 1)
    expected = expected_metric(metric, constant.expand(90, -1), torch.from_numpy(labels), label_scale=2.5)
    found = trivial_value(metric, train_labels=train, labels=labels, label_scale=2.5)
    assert found == pytest.approx(expected, rel=ORACLE_PRECISION[metric], abs=1e-9)
    of_nothing = {"auroc": 0.5, "balanced_accuracy": 1 / 3}
    assert found == pytest.approx(of_nothing.get(metric, found), rel=1e-15)


def test_trivial_accuracy_and_rmse_are_those_of_older_records_bit_for_bit() -> None:
    stream = np.random.default_rng(0)
    for size in (2, 7, 100, 1001):
        classes = stream.permutation(np.arange(size) % 3 % size)
        expected = float(np.mean(classes == np.bincount(classes).argmax()))
        assert trivial_value("accuracy", train_labels=classes, labels=classes) == expected
        amounts = stream.normal(size=size).astype(np.float32)
        expected = float(np.sqrt(np.mean(np.square(amounts.astype(np.float64))))) * 2.7
        assert trivial_value("rmse", train_labels=amounts, labels=amounts, label_scale=2.7) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_metric_of_a_configuration_reaches_the_task_with_its_direction(
    metric: str, classes: MakeTable, amounts: MakeTable, configure: MakeConfig
) -> None:
    table = classes() if metric in OF_CLASSES else amounts()
    task = prepare(table, config=configure(metric=metric, direction=None))
    assert (task.metric_name, task.direction) == (metric, METRICS[metric].direction)
    assert np.isfinite(task.trivial)


@pytest.mark.parametrize("metric", METRICS)
def test_direction_and_labels_that_contradict_the_metric_are_refused(metric: str) -> None:
    facts = METRICS[metric]
    other = {"max": "min", "min": "max"}[facts.direction]
    with pytest.raises(
        UserError, match=rf"dataset.direction={other}: expected {facts.direction} for the metric {metric}, or null"
    ):
        checked_metric(metric, other, kind=facts.kind, name="small")
    wrong = "regression" if facts.kind == "classification" else "classification"
    with pytest.raises(
        UserError, match=rf"dataset.metric={metric} is for {facts.kind}, and 'small' is {wrong}; expected"
    ):
        checked_metric(metric, None, kind=wrong, name="small")


@pytest.mark.parametrize(("kind", "first"), [("classification", ("accuracy", "max")), ("regression", ("rmse", "min"))])
def test_metric_follows_the_labels_where_none_is_given(kind: Any, first: tuple[str, str]) -> None:
    assert checked_metric(None, None, kind=kind, name="small") == first


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"dataset.metric=acuracy: unknown metric; did you mean 'accuracy'"):
        checked_metric("acuracy", None, kind="classification", name="small")


def test_ladder_of_another_metric_is_refused(classes: MakeTable, configure: MakeConfig) -> None:
    """A macro F1 of 0.8 is not what an accuracy of 0.8 is."""
    ladder = Targets(0.7, 0.8, 0.9, provenance="by hand", metric="accuracy")
    task = prepare(classes(), config=configure(targets=ladder))
    assert task.targets == {"easy": 0.7, "medium": 0.8, "hard": 0.9, "provenance": "by hand"}
    with pytest.raises(
        UserError, match=r"dataset.metric=macro_f1: the target ladder .* is for accuracy; set dataset.t"
    ):
        prepare(classes(), config=configure(metric="macro_f1", targets=ladder))
    assert prepare(classes(), config=configure(metric="macro_f1", targets=None)).targets is None


@pytest.mark.parametrize("path", CATALOGUE, ids=lambda path: path.stem)
def test_measured_ladder_names_its_metric(path: Path) -> None:
    """Else dataset.metric=… on the command line would be held against targets of another metric."""
    config = OmegaConf.load(path)
    assert config.targets is None or config.targets.metric == config.metric
