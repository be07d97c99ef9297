"""The winner's script: every metric and preprocessing it may have, checked against ours; where there is none, why."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

from bnbench.config import Config
from bnbench.datasets import Task, load
from bnbench.datasets.collectors import make_collector
from bnbench.datasets.row_errors import class_scores
from bnbench.metric_facts import METRICS
from bnbench.winner import code_of, take_away

ROWS = 200
LITTLE = (
    "dataset=file",
    "dataset.target_column=price",
    "model.hidden=[8]",
    "budget.max_steps=4",
    "budget.eval_every_steps=2",
    "budget.batch_size=16",
)
Script = Callable[..., tuple[str | None, str | None, Task]]


def homes(*, classes: bool) -> pd.DataFrame:
    """Numbers with gaps and categories; prices or three classes of them."""
    stream = np.random.default_rng(0)
    area = stream.normal(100, 20, ROWS)
    price = 2000 * area + stream.normal(0, 1e4, ROWS)
    frame = pd.DataFrame({"area": area.round(2), "town": stream.choice(["Arden", "Bree"], ROWS), "rooms": 3.0})
    frame["age"] = np.where(stream.random(ROWS) < 0.1, np.nan, stream.gamma(2, 9, ROWS).round(3))
    frame["price"] = pd.cut(price, 3, labels=["low", "mid", "top"]).astype(str) if classes else price.round(1)
    return frame


@pytest.fixture
def script(compose: Callable[..., Config], tmp_path: Path) -> Script:
    """The script, why there is none, and the task of a little configuration for a file of homes."""

    def make(*overrides: str, metric: str, classes: bool = False, name: str = "homes.csv", **written: Any) -> Any:
        frame = homes(classes=classes)
        path = tmp_path / name
        frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, **({"index": False} | written))
        config = compose(*LITTLE, f"dataset.path={path}", f"dataset.metric={metric}", *overrides)
        task = load(config.dataset)
        identity = {"workload": {"dataset": {"checksum": task.checksum}}}
        record = SimpleNamespace(config=asdict(config), identity=identity)
        winner = SimpleNamespace(entry="none", choice=SimpleNamespace(rate=0.01))
        return *code_of(cast(Any, SimpleNamespace(metric=metric)), cast(Any, winner), cast(Any, record)), task

    return make


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "winner.py", "exec"), names)
    return names


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_measured_as_bnbench_measures_it(metric: str, script: Script) -> None:
    code, why_not, task = script(metric=metric, classes=METRICS[metric].kind == "classification")
    assert why_not is None
    assert code is not None
    names = run(code)
    inputs, labels = names["part"](names["test"])
    torch.testing.assert_close(inputs, task.test_inputs, atol=1e-5, rtol=1e-5)
    outputs = names["model"].eval()(inputs).detach()[None]
    collector = make_collector(metric, label_scale=task.label_scale)
    collector.add(outputs, task.test_labels[None])
    assert names["measure"](inputs, labels) == pytest.approx(float(collector.values()), rel=1e-5)


@pytest.mark.parametrize("loss", ["binary", "cross_entropy", "mse", "huber"])
def test_every_loss_has_its_code(loss: str, script: Script) -> None:
    classes = loss in ("binary", "cross_entropy")
    overrides = ("dataset.target_column=town",) if classes else ()
    metric = "nll" if classes else "rmse"
    code, why_not, task = script(f"dataset.loss={loss}", "optimizer.clip_gradient_norm=1", *overrides, metric=metric)
    assert why_not is None
    assert code is not None
    assert "clip_grad_norm_(model.parameters(), 1.0)" in code
    names = run(code)
    scores = class_scores(names["model"].eval()(task.test_inputs).detach()[None], loss=loss)
    collector = make_collector(metric, label_scale=task.label_scale)
    collector.add(scores, task.test_labels[None])
    assert names["measure"](*names["part"](names["test"])) == pytest.approx(float(collector.values()), rel=1e-4)


@pytest.mark.parametrize("preprocessing", ["none", "center", "standardize", "quantile", "whiten"])
def test_every_preprocessing_of_tables_has_its_code(preprocessing: str, script: Script) -> None:
    code, why_not, task = script(f"dataset.preprocessing={preprocessing}", metric="mae")
    assert (code is not None, why_not) == (True, None)
    assert run(str(code))["part"]([0])[0].shape == (1, task.num_features)


@pytest.mark.parametrize(
    ("name", "written", "target"),
    [
        ("homes.csv", {"sep": ";", "decimal": ","}, "price"),
        ("homes.csv.gz", {}, "-1"),
        ("homes.data", {"header": False}, "4"),
        ("homes.tsv", {"sep": "\t", "encoding": "utf-16"}, "4"),
        ("homes.parquet", {}, "-1"),
    ],
)
def test_files_are_read_however_they_are_written(
    name: str, written: dict[str, Any], target: str, script: Script
) -> None:
    code, why_not, _ = script(f"dataset.target_column={target}", metric="rmse", name=name, **written)
    assert (code is not None, why_not) == (True, None)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("schedule=cosine",), "schedule=cosine has no code"),
        (("model.residual=true",), "more than a sequence of layers"),
        (("dataset.split=time", "dataset.split_column=area"), "dataset.split=time has no code"),
    ],
)
def test_what_has_no_code_is_said(overrides: tuple[str, ...], said: str, script: Script) -> None:
    code, why_not, _ = script(*overrides, metric="rmse")
    assert code is None
    assert said in str(why_not)


def test_weights_that_were_asked_for_and_cannot_be_are_said() -> None:
    answer = cast(Any, SimpleNamespace(winner=None, reference="none"))
    said = "No weights in best.safetensors: without runs of 'none' there is no winner."
    assert take_away(answer, [], weights_path="best.safetensors") == (None, [said])
    assert take_away(answer, [], weights_path=None) == (None, [])
