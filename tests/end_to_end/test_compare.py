"""`bnbench.compare`: which norm for this table, from Python, with records like any others."""

import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bnbench
from bnbench.errors import UserError
from bnbench.seeding import TARGET_SEEDS

SMALL: dict[str, Any] = {
    "model": {"hidden": [8]},
    "optimizer": {"lr": 0.03},
    "seeds": 3,
    "max_steps": 60,
    "batch_size": 16,
    "eval_every_steps": 10,
}
ROWS = 150


def table(*, classes: bool) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(ROWS, 4)) * [1.0, 10.0, 0.1, 1.0]
    y = X[:, 0] + X[:, 1] / 10
    return X, (np.where(y > 0, "high", "low") if classes else 1000 + 50 * y)


@pytest.mark.parametrize("classes", [True, False], ids=["classification", "regression"])
def test_every_norm_is_on_the_board_with_the_reference(classes: bool, tmp_path: Path) -> None:
    X, y = table(classes=classes)
    board = bnbench.compare(["batch", {"name": "group", "num_groups": 2}], X, y, runs_dir=tmp_path, **SMALL)
    assert {row.entry for row in board.entries} == {"none", "batch", "group(num_groups=2)"}
    assert {row.n_seeds for row in board.entries} == {3}
    assert board.reference == "none"
    (workload,) = board.workloads
    assert (workload.metric, workload.direction) == (("accuracy", "max") if classes else ("rmse", "min"))
    assert "auto" in workload.provenance
    if not classes:
        assert {row.entry: row.final.mean < 50 for row in board.entries}["batch"], "in the units of y, below its spread"
    assert "group(num_groups=2)" in str(board)


def test_the_target_comes_from_seeds_that_are_never_scored(tmp_path: Path) -> None:
    board = bnbench.compare(["layer"], *table(classes=True), runs_dir=tmp_path, **SMALL)
    records = bnbench.load_runs(tmp_path).records
    reserved = [record for record in records if any(entry["seed"] >= TARGET_SEEDS for entry in record.seeds)]
    assert [record.entry for record in reserved] == ["none"]
    best = np.median([entry["final"]["best_val_accuracy"] for entry in reserved[0].seeds])
    trivial = reserved[0].metric["trivial"]
    (workload,) = board.workloads
    assert workload.target == pytest.approx(trivial + 0.95 * (best - trivial), abs=1e-3)


def test_a_second_call_trains_nothing_and_gives_the_same_board(tmp_path: Path) -> None:
    data = table(classes=True)
    first = bnbench.compare(["batch"], *data, runs_dir=tmp_path, **SMALL)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/*")}
    again = bnbench.compare(["none", "batch"], *data, runs_dir=tmp_path, **SMALL)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/*")} == before
    assert again == first


def test_loaded_runs_score_to_the_same_board(tmp_path: Path) -> None:
    board = bnbench.compare(["batch"], *table(classes=False), runs_dir=tmp_path, **SMALL)
    loaded = bnbench.score(bnbench.load_runs(tmp_path), reference="none")
    assert [(row.entry, row.rank, row.speedup) for row in loaded.entries] == [
        (row.entry, row.rank, row.speedup) for row in board.entries
    ]


def test_a_data_frame_and_its_array_are_the_same_cells(tmp_path: Path) -> None:
    X, y = table(classes=True)
    bnbench.compare(["batch"], X, y, runs_dir=tmp_path, **SMALL)
    before = set(tmp_path.glob("*/*/*"))
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    bnbench.compare(["batch"], frame, pd.Series(y), runs_dir=tmp_path, **SMALL)
    assert set(tmp_path.glob("*/*/*")) == before


def test_a_network_of_the_user_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_network_module.py").write_text(
        "from torch import nn\n"
        "def my_network(num_inputs, num_outputs, make_norm, width=6):\n"
        "    layers = [nn.Linear(num_inputs, width), make_norm(width), nn.ReLU(), nn.Linear(width, num_outputs)]\n"
        "    return nn.Sequential(*layers)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = {"class_path": "my_network_module:my_network", "options": {"width": 5}}
    runs = tmp_path / "runs"
    board = bnbench.compare(["batch"], *table(classes=True), runs_dir=runs, **{**SMALL, "model": model})
    assert {row.entry for row in board.entries} == {"none", "batch"}
    assert {record.config["model"]["name"] for record in bnbench.load_runs(runs).records} == {"custom"}


def test_the_names_of_the_package_are_functions_however_often_they_are_asked_for() -> None:
    """A module of the same name would take the place of the function once it is imported."""
    for _ in range(2):
        assert all(callable(getattr(bnbench, name)) for name in bnbench.__all__)
    modules = {module.name for module in pkgutil.iter_modules(bnbench.__path__)}
    assert modules.isdisjoint(bnbench.__all__)


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown norm": ({"norms": ["bacth"]}, "'bacth'; did you mean 'batch'"),
    "a single name": ({"norms": "batch"}, r"norms='batch'.*\['batch'\]"),
    "no name in a mapping": ({"norms": [{"num_groups": 2}]}, "num_groups.*name"),
    "no norm": ({"norms": []}, r"norms=\[\]"),
    "unknown model key": ({"model": {"hiden": [8]}}, "model.hiden is no key; did you mean 'hidden'"),
    "unknown optimizer key": ({"optimizer": {"rate": 1}}, "optimizer.rate is no key"),
    "unknown optimizer": ({"optimizer": {"name": "lbfgs"}}, "lbfgs"),
    "wrong type": ({"model": {"hidden": 8}}, "model.hidden=8"),
    "no seed": ({"seeds": 0}, "seeds=0"),
    "batch beyond the data": ({"batch_size": 1000}, "1000 is more than the 90 training rows"),
    "option out of range": ({"model": {"dropout": 2.0}}, "model.dropout=2.0"),
    "unknown kind": ({"kind": "clasification"}, "did you mean 'classification'"),
    "steps in words": ({"max_steps": "many"}, "budget.max_steps='many'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_before_anything_is_trained(name: str, tmp_path: Path) -> None:
    changes, message = MISTAKES[name]
    X, y = table(classes=True)
    arguments = {"norms": ["batch"], "X": X, "y": y, "runs_dir": tmp_path / "runs", **SMALL, **changes}
    with pytest.raises(UserError, match=message):
        bnbench.compare(**arguments)
    assert not (tmp_path / "runs").exists()


def test_a_frame_of_numbers_and_names_with_gaps(tmp_path: Path) -> None:
    X, y = table(classes=True)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(side=np.where(X[:, 0] > 0, "left", "right"))
    frame.loc[3:9, "b"] = np.nan
    frame.loc[5:7, "side"] = None
    board = bnbench.compare(["batch"], frame, y, runs_dir=tmp_path, **SMALL)
    assert {row.entry for row in board.entries} == {"none", "batch"}


def test_a_missing_label_is_named(tmp_path: Path) -> None:
    X, y = table(classes=False)
    y[3] = np.nan
    with pytest.raises(UserError, match="1 labels are missing, the first in row 3"):
        bnbench.compare(["batch"], X, y, runs_dir=tmp_path, **SMALL)


def test_what_happens_inside_can_be_asked_for(tmp_path: Path) -> None:
    data = table(classes=True)
    before = bnbench.compare(["batch"], *data, runs_dir=tmp_path, **SMALL)
    looked_into = bnbench.compare(["batch"], *data, runs_dir=tmp_path, diagnostics=["gradients", "units"], **SMALL)
    assert looked_into.entries == before.entries
    scored = [record for record in bnbench.load_runs(tmp_path).records if record.seeds[0]["seed"] < TARGET_SEEDS]
    assert {record.entry for record in scored} == {"none", "batch"}
    assert {record.asked_diagnostics for record in scored} == {frozenset({"gradients", "units"})}
    with pytest.raises(UserError, match="unknown diagnostic 'gradient'; did you mean 'gradients'"):
        bnbench.compare(["batch"], *data, runs_dir=tmp_path, diagnostics="gradient", **SMALL)
