"""A loss and a metric from the command line to the board."""

import re
from typing import Any

import numpy as np
import pytest

from bnbench.metric_facts import METRICS
from bnbench.records import load_records
from bnbench.reports import to_text
from bnbench.scoring import score

WITHOUT_LADDER = ("dataset.direction=null", "dataset.targets=null")


@pytest.mark.parametrize(
    ("dataset", "loss", "metric"),
    [
        *(("breast_cancer", "binary", metric) for metric, facts in METRICS.items() if facts.kind == "classification"),
        ("digits", "cross_entropy", "macro_f1"),
        ("digits", "null", "auroc"),
        *(("diabetes", "huber", metric) for metric, facts in METRICS.items() if facts.kind == "regression"),
        ("diabetes", "mse", "r2"),
    ],
)
def test_metric_is_recorded_under_its_name_and_stands_on_the_board(
    dataset: str, loss: str, metric: str, command: Any
) -> None:
    run = command(f"dataset={dataset}", f"dataset.loss={loss}", f"dataset.metric={metric}", *WITHOUT_LADDER)
    assert run.code == 0, run.said
    # beside those of the command lie the runs of `none` that the automatic rule measures a target by
    (record,) = (record for record in load_records(command.runs).records if record.seeds[0]["seed"] == 0)
    assert record.metric["name"] == metric
    assert record.metric["direction"] == METRICS[metric].direction
    assert np.isfinite(record.metric["trivial"])
    rows = record.history()
    assert np.isfinite(rows[f"val_{metric}"]).all()
    for seed in record.seeds:
        last = rows[f"val_{metric}"][rows["seed"] == seed["seed"]][-1]
        assert seed["final"][f"val_{metric}"] == last
        assert np.isfinite(seed["final"][f"test_{metric}"])
    default = loss in ("null", "cross_entropy", "mse")
    assert ("loss" in record.identity["workload"]["dataset"]) != default
    board = to_text(score(load_records(command.runs), target=record.metric["trivial"]))
    assert metric in board


def test_one_output_and_two_are_different_workloads_with_one_ladder(command: Any) -> None:
    for loss in ("null", "binary"):
        assert command("dataset=breast_cancer", f"dataset.loss={loss}").code == 0
    records = load_records(command.runs).records
    assert len({record.workload_id for record in records}) == 2
    assert len({str(record.targets) for record in records}) == 1
    names = [workload.workload for workload in score(load_records(command.runs)).workloads]
    assert len(set(names)) == 2, names
    assert any("binary" in name for name in names)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ("dataset=digits", "dataset.metric=macro_f1"),
            "dataset.metric=macro_f1: the target ladder of this data set is for accuracy; set dataset.targets=null",
        ),
        (("dataset=digits", "dataset.metric=nll", "dataset.targets=null"), "dataset.direction=max: expected min"),
        (("dataset=digits", "dataset.loss=binary"), "dataset.loss=binary: 'digits' has 10 classes, expected 2"),
        (("dataset=digits", "dataset.loss=huber"), "dataset.loss=huber is for regression, 'digits' is classification"),
        (("dataset=digits", "dataset.metric=r2", "dataset.targets=null"), "dataset.metric=r2 is for regression"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_message(
    overrides: tuple[str, ...], said: str, command: Any
) -> None:
    run = command(*overrides)
    assert run.code == 1
    assert said in re.sub(r"\s+", " ", run.said)
    assert "Traceback" not in run.said
    assert not list(command.runs.rglob("run.json"))
