"""Installed plug-ins on the command line: chosen by name, listed, trained beside ours, never in the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.plugins import WITHOUT_PLUGINS
from bnbench.records import load_records

SOURCE = """
import torch
from torch import nn
from bnbench import norm

@norm("{name}")
def {name}(num_features, *, scale=1.0, shift=None, sizes=(1, 2)):
    return nn.LayerNorm(num_features, eps=1e-5 * scale)
"""
BROKEN = "warning: plug-in 'broken' of bnbench-broken 1.0 cannot be used: RuntimeError: on purpose"
SECOND = "warning: plug-in 'batch' of bnbench-second 1.0 cannot be used: norm 'batch' is already registered by bnbench"
FILE = (
    "warning: plug-in 'second' of bnbench-second 1.0 cannot be used: its norm/batch.yaml has the name of one of "
    "bnbench, which is the one that is used"
)


@pytest.fixture
def train(command: Any, plant: Callable[..., None]) -> Callable[..., Any]:
    """The command in a folder where five plug-ins are found: two good ones, and three that are not."""
    files = {"tall/__init__.py": SOURCE.format(name="tall"), "tall/conf/__init__.py": ""}
    files["tall/conf/norm/tall.yaml"] = "name: tall\nscale: 2.0\n"
    files["tall/conf/experiment/tall.yaml"] = "# @package _global_\nhydra: {sweeper: {params: {norm: 'none,tall'}}}\n"
    plant(command.folder, "bnbench-tall", files, norms={"tall": "tall"}, conf={"tall": "tall.conf"})
    plant(command.folder, "bnbench-plain", {"plain.py": SOURCE.format(name="plain")}, norms={"plain": "plain"})
    plant(
        command.folder,
        "bnbench-broken",
        {"broken.py": "raise RuntimeError('on\\npurpose')"},
        norms={"broken": "broken"},
    )
    files = {"second.py": SOURCE.format(name="batch"), "second_conf/__init__.py": ""}
    files["second_conf/norm/batch.yaml"] = "name: batch\neps: 9.0\n"
    plant(command.folder, "bnbench-second", files, norms={"batch": "second"}, conf={"second": "second_conf"})
    return lambda *arguments: command(*arguments, **{WITHOUT_PLUGINS: ""})


def entries(folder: Path) -> set[str]:
    return {record.entry for record in load_records(folder / "runs").records}


def test_norms_of_plugins_train_beside_ours_and_broken_ones_are_said_once(train: Any, command: Any) -> None:
    run = train("-m", "norm=none,tall,plain")
    assert run.code == 0, run.said
    assert entries(command.folder) == {"none", "tall(scale=2)", "plain"}
    folders = {path.name.rpartition("-")[0] for path in command.runs.glob("digits-*")}
    assert folders == {"digits-none", "digits-tall", "digits-plain"}
    warnings = [line for line in run.said.splitlines() if line.startswith("warning:")]
    assert sorted(warnings) == sorted([BROKEN, SECOND, FILE])


def test_experiment_of_a_plugin_runs(train: Any, command: Any) -> None:
    run = train("-m", "+experiment=tall", "seeds=1")
    assert run.code == 0, run.said
    assert entries(command.folder) == {"none", "tall(scale=2)"}


def test_norms_of_plugins_are_listed(train: Any, command: Any) -> None:
    run = train("--help")
    assert run.code == 0, run.said
    (listed,) = [line for line in run.said.splitlines() if line.startswith("norm: ")]
    assert {"batch", "tall", "plain"} <= set(listed.removeprefix("norm: ").split(", "))
    assert "__" not in run.said  # a package has files that are no configuration


def test_norm_without_a_yaml_takes_its_options_from_its_signature(train: Any) -> None:
    run = train("norm=plain", "norm.scale=3.0", "--cfg", "job", "--package", "norm")
    assert run.said.splitlines()[-4:] == ["# @package norm", "name: plain", "scale: 3.0", "shift: null"]


def test_file_of_ours_is_the_one_that_is_used(train: Any) -> None:
    said = train("norm=batch", "--cfg", "job", "--package", "norm").said
    assert "eps: 1.0e-05" in said
    assert "eps: 9.0" not in said


def test_file_of_the_user_is_used_for_a_norm_without_one_and_said_to_be_shadowed_otherwise(
    train: Any, command: Any
) -> None:
    folder = command.folder / "mine" / "norm"
    folder.mkdir(parents=True)
    for name in ("plain", "tall", "batch"):
        (folder / f"{name}.yaml").write_text(f"name: {name}\nscale: 7.0\n")
    run = train("norm=plain", "--config-dir", "mine", "--cfg", "job", "--package", "norm")
    assert "name: plain\nscale: 7.0" in run.said
    shadowed = [line for line in run.said.splitlines() if "of --config-dir" in line]
    assert shadowed == [
        f"warning: norm/{name}.yaml of --config-dir has the name of one of {owner}, which is the one that is used"
        for name, owner in (("batch", "bnbench"), ("tall", "bnbench-tall 1.0"))
    ]
    assert "deprecat" not in run.said.lower()
    assert "schema" not in run.said


def test_norm_whose_plugin_fails_says_so(train: Any) -> None:
    run = train("norm=broken")
    assert run.code == 1
    expected = "norm=broken is installed by bnbench-broken 1.0 and cannot be used: RuntimeError: on purpose"
    assert expected in run.said.splitlines()


def test_norm_that_is_not_installed_is_answered_with_the_nearest(train: Any) -> None:
    run = train("norm=tal")
    assert run.code == 1
    assert "norm=tal is unknown; did you mean 'tall'?" in run.said


def test_norm_that_is_registered_by_a_user_s_file_trains_under_its_name(train: Any, command: Any) -> None:
    (command.folder / "mine.py").write_text(SOURCE.format(name="mine"))
    run = train("norm=custom", "norm.class_path=mine:mine", "+norm.scale=2.0")
    assert run.code == 0, run.said
    assert entries(command.folder) == {"mine(scale=2)"}


def test_norm_of_a_user_s_file_with_the_name_of_a_plugin_is_refused(train: Any, command: Any) -> None:
    (command.folder / "mine.py").write_text(SOURCE.format(name="tall"))
    run = train("norm=custom", "norm.class_path=mine:tall")
    assert run.code == 1
    assert "norm 'tall' is registered twice: tall:tall (bnbench-tall 1.0) and mine:tall" in run.said
