"""Every file of conf/dataset/ says what is true of the data set it describes."""

import os
from dataclasses import fields
from pathlib import Path
from typing import cast

import pytest
from omegaconf import OmegaConf

from bnbench.datasets import DatasetConfig, Task, load
from bnbench.datasets.sources.fashion_mnist import DEBIAN_FOLDER

FOLDER = Path(__file__).parent.parent.parent / "conf" / "dataset"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
REQUIRED_KEYS = {
    "name", "source", "preprocessing", "metric", "direction", "data_seed", "validation_fraction", "test_fraction",
    "path", "targets", "about",
}  # fmt: skip
PART_SIZES = {
    "breast_cancer": (341, 114, 114),
    "digits": (1079, 359, 359),
    "fashion_mnist": (55_000, 5_000, 10_000),
}


def config_of(name: str) -> DatasetConfig:
    schema = OmegaConf.structured(DatasetConfig)
    return cast(DatasetConfig, OmegaConf.to_object(OmegaConf.merge(schema, OmegaConf.load(FOLDER / f"{name}.yaml"))))


@pytest.fixture(scope="module", params=NAMES)
def task(request: pytest.FixtureRequest) -> Task:
    if request.param == "fashion_mnist" and not DEBIAN_FOLDER.is_dir():
        reason = "Debian's package dataset-fashion-mnist is not installed"
        # CI installs it, so there its absence is a fault
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return load(config_of(request.param))


@pytest.mark.parametrize("name", NAMES)
def test_file_has_the_keys_that_every_data_set_needs_and_none_the_schema_does_not_know(name: str) -> None:
    written = set(OmegaConf.load(FOLDER / f"{name}.yaml"))
    assert written >= REQUIRED_KEYS
    assert written <= {field.name for field in fields(DatasetConfig)}


@pytest.mark.parametrize("name", NAMES)
def test_file_is_named_after_its_data_set_and_begins_with_a_comment(name: str) -> None:
    assert config_of(name).name == name
    assert (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_about_says_how_to_get_the_data_and_under_what_licence(name: str) -> None:
    about = config_of(name).about
    assert {"description", "source", "licence", "obtain", "rows", "features"} <= about.keys()


def test_rows_features_and_classes_are_those_of_the_file(task: Task) -> None:
    about = config_of(task.name).about
    parts = (task.train_inputs, task.validation_inputs, task.test_inputs)
    assert sum(len(part) for part in parts) == about["rows"]
    assert {part.shape[1] for part in parts} == {task.num_features} == {about["features"]}
    assert task.num_outputs == about["classes"]


def test_part_sizes_stay_what_they_are(task: Task) -> None:
    sizes = (len(task.train_labels), len(task.validation_labels), len(task.test_labels))
    assert sizes == PART_SIZES[task.name]


def test_every_class_is_in_every_part(task: Task) -> None:
    for labels in (task.train_labels, task.validation_labels, task.test_labels):
        assert set(labels.tolist()) == set(range(task.num_outputs))


def test_target_ladder_lies_between_the_trivial_predictor_and_perfection(task: Task) -> None:
    assert task.targets is not None
    ladder = [task.targets[level] for level in ("easy", "medium", "hard")]
    assert [task.trivial, *ladder, 1.0] == sorted({task.trivial, *ladder, 1.0})
    assert task.targets["provenance"]
