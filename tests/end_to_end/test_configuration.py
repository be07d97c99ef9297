"""Every yaml says exactly what its dataclass or signature says, and every experiment runs as its first line says."""

import inspect
import shlex
from collections.abc import Callable
from dataclasses import asdict, fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from bnbench.config import (
    Config,
    LoggerConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainerConfig,
    learning_rates,
)
from bnbench.datasets import Task, from_arrays
from bnbench.introduction_defaults import INTRODUCTION_DEFAULTS
from bnbench.norms import NORMS
from bnbench.seeding import TUNING_SEEDS
from bnbench.train import CONF
from bnbench.training.cells import TUNING_RUNS
from bnbench.training.job import run_job

FEW_STEPS = ("budget.max_steps=4", "budget.eval_every_steps=2", "seeds=2", "logger=none", "measure_cost=false")
# no yaml of its own: it stands for whatever class path it is given
STAND_IN = "custom"
# a yaml that is another one with some options set: that one, and what it sets
PRESETS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("model", "self_normalizing"): (
        "mlp",
        {"activation": "selu", "initialisation": "lecun", "dropout": 0.05, "alpha_dropout": True},
    ),
    ("norm", "batch_keras"): ("batch", {"momentum": 0.01, "eps": 1e-3, "unbiased_running_variance": False}),
}
SCHEMAS: dict[str, Any] = {
    "model": ModelConfig,
    "optimizer": OptimizerConfig,
    "schedule": ScheduleConfig,
    "trainer": TrainerConfig,
    "logger": LoggerConfig,
}
# a yaml's own value is what it is for: data parallel means several devices
PROCESSES = {("trainer", "ddp"): {"devices": 2}, ("trainer", "ddp_cpu"): {"devices": 2}}
# what a choice of the group brings with it, so that its yaml states another value than the schema
OWN_VALUES = {
    "name",
    "lr",  # each update rule has its scale
    "weight_decay",  # AdamW is made for it
    "accelerator",
    "class_path",
    "initialisation",  # a network of the user's own keeps its weights
}


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def written(group: str, name: str) -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"), resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def test_every_norm_has_a_yaml_and_every_yaml_a_norm() -> None:
    assert names("norm") == sorted({*NORMS.names(), STAND_IN, *(name for group, name in PRESETS if group == "norm")})


@pytest.mark.parametrize(("group", "name"), PRESETS)
def test_preset_is_another_choice_with_some_options_set(group: str, name: str) -> None:
    base, changes = PRESETS[group, name]
    assert written(group, name) == written(group, base) | changes


@pytest.mark.parametrize("name", NORMS.names())
def test_norm_yaml_states_the_options_of_its_signature(name: str) -> None:
    signature = inspect.signature(NORMS.get(name).factory).parameters
    options = {option: parameter.default for option, parameter in list(signature.items())[1:]}
    assert inspect.Parameter.empty not in options.values()
    stated = written("norm", name)
    assert stated.pop("name") == name
    assert stated == options


@pytest.mark.parametrize("name", NORMS.names())
def test_every_option_of_a_norm_has_its_introduction_default(name: str) -> None:
    """An option without one would be part of every older cell's identity the day it is added."""
    assert INTRODUCTION_DEFAULTS.get(f"norm.{name}", {}).keys() == NORMS.get(name).defaults().keys()


@pytest.mark.parametrize("group", ["model", "optimizer", "schedule"])
def test_every_option_of_a_group_has_its_introduction_default(group: str) -> None:
    decided_by_the_user = {"name", "lr"}
    options = {field.name for field in fields(SCHEMAS[group])} - decided_by_the_user
    assert INTRODUCTION_DEFAULTS[group].keys() == options


@pytest.mark.parametrize(("group", "name"), [(group, name) for group in SCHEMAS for name in names(group)])
def test_group_yaml_states_the_schema_s_names_and_defaults(
    group: str, name: str, configure: Callable[..., Config]
) -> None:
    needed = ("model.class_path=package.module:factory",) if (group, name) == ("model", STAND_IN) else ()
    stated = written(group, name)
    composed = asdict(getattr(configure(f"{group}={name}", *needed, "model.hidden=[100,100,100]"), group))
    defaults = {field.name: field.default for field in fields(SCHEMAS[group])}
    defaults |= {
        field.name: field.default_factory() for field in fields(SCHEMAS[group]) if callable(field.default_factory)
    }
    base, changes = PRESETS.get((group, name), (name, PROCESSES.get((group, name), {})))
    assert stated["name"] == base
    assert stated.keys() <= composed.keys()
    unlike = {key for key in composed if composed[key] != (defaults | changes)[key]}
    assert unlike <= OWN_VALUES, f"{group}={name} changes {sorted(unlike - OWN_VALUES)} behind the schema's back"


@pytest.mark.parametrize("name", names("dataset"))
def test_dataset_yaml_composes(name: str, configure: Callable[..., Config]) -> None:
    config = configure(f"dataset={name}").dataset
    # a table of the user's own is named by its file
    assert config.name == ("auto" if name in ("file", "open_ml") else name)
    assert config.targets is None or config.targets.provenance


def test_main_configuration_states_every_key() -> None:
    stated = written(".", "config")
    groups = {next(iter(entry)) for entry in stated["defaults"] if isinstance(entry, dict)}
    assert stated.keys() | groups >= {field.name for field in fields(Config)}


def command_of(experiment: str) -> list[str]:
    package, comment = (CONF / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8").splitlines()[:2]
    assert package == "# @package _global_"
    return shlex.split(comment.removeprefix("# "))


@pytest.mark.parametrize("experiment", names("experiment"))
def test_experiment_begins_with_the_command_that_runs_it(experiment: str) -> None:
    assert command_of(experiment)[:4] == ["python", "-m", "bnbench.train", f"+experiment={experiment}"]


def sweep_of(experiment: str) -> list[tuple[str, ...]]:
    """The jobs of an experiment: what its sweep sets in each. Of a suite or a claim's every choice is in one."""
    swept = written("experiment", experiment).get("hydra", {}).get("sweeper", {}).get("params", {})
    choices = [[f"{key}={value}" for value in str(values).split(",")] for key, values in swept.items()]
    if experiment.startswith(("suite_", "claim")):
        jobs = range(max(map(len, choices)))
        return [tuple(values[job % len(values)] for values in choices) for job in jobs]
    return list(product(*choices))


def test_experiment_of_all_norms_sweeps_over_every_one_at_its_defaults() -> None:
    assert sweep_of("all_norms") == [(f"norm={name}",) for name in NORMS.names()]


@pytest.mark.parametrize(
    ("experiment", "job"), [(name, job) for name in names("experiment") for job in sweep_of(name)], ids=str
)
def test_every_job_of_every_experiment_trains(
    experiment: str, job: tuple[str, ...], tmp_path: Path, compose: Callable[..., Config]
) -> None:
    arguments = [argument for argument in command_of(experiment)[3:] if argument != "-m"]
    config = compose(*arguments, *job, *FEW_STEPS, f"runs_dir={tmp_path}")
    cells = run_job(config, experiments=[experiment], task=stand_in(config.dataset.name))
    tuning = list(range(TUNING_SEEDS, TUNING_SEEDS + TUNING_RUNS)) if config.track == "tuned" else []
    assert [(cell.trained, cell.error) for cell in cells] == [([0, 1, *tuning], None)] * len(learning_rates(config))


# rows, features and classes (1: an amount) of what is not on every machine
SHAPES = {
    "fashion_mnist": (600, 784, 10),
    "mnist_5k": (600, 784, 10),
    "homes": (600, 6, 1),
    "letter": (600, 16, 26),
    "adult": (600, 20, 2),
    "california": (600, 8, 1),
    "shuttle": (600, 9, 7),
    "diamonds": (600, 10, 1),
}


def stand_in(dataset: str) -> Task | None:
    """Noise in the shape of data that nobody may have installed or that are the user's own."""
    if dataset not in SHAPES:
        return None
    rows, features, classes = SHAPES[dataset]
    noise = np.random.default_rng(0).random((rows, features + 1))
    return from_arrays(noise[:, 1:], np.arange(rows) % classes if classes > 1 else noise[:, 0], name=dataset)
