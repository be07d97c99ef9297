"""Every option that decides a result has its introduction default listed, and no other has: cell ids rest on it."""

from dataclasses import MISSING, fields
from typing import Any

import omegaconf
import pytest

from bnbench.config import ModelConfig, OptimizerConfig, ScheduleConfig
from bnbench.datasets import DatasetConfig
from bnbench.introduction_defaults import INTRODUCTION_DEFAULTS
from bnbench.norms import NORMS
from bnbench.records import canonical_json
from bnbench.training.cells import DATASET_KEYS

SCHEMAS: dict[str, type[Any]] = {"model": ModelConfig, "optimizer": OptimizerConfig, "schedule": ScheduleConfig}
# the only options of the trainer that decide a result: the others say where it runs
DECIDING = {"dataset": {*DATASET_KEYS}, "trainer": {"precision", "compile"}}


def defaults_of(schema: type[Any]) -> dict[str, Any]:
    """The options of a schema that have a default. A name or metric has none: it is in every identity."""
    found = {}
    for option in fields(schema):
        default = option.default if option.default is not MISSING else option.default_factory
        if option.default_factory is not MISSING:
            default = option.default_factory()
        if default not in (omegaconf.MISSING, MISSING):
            found[option.name] = default
    return found


@pytest.mark.parametrize("group", SCHEMAS)
def test_options_of_a_schema_are_all_listed_and_no_other(group: str) -> None:
    assert set(INTRODUCTION_DEFAULTS[group]) == set(defaults_of(SCHEMAS[group]))


def test_options_of_a_data_set_that_decide_are_all_listed_and_no_other() -> None:
    assert set(INTRODUCTION_DEFAULTS["dataset"]) == set(defaults_of(DatasetConfig)) & DECIDING["dataset"]


def test_only_precision_and_compilation_of_the_trainer_decide() -> None:
    assert set(INTRODUCTION_DEFAULTS["trainer"]) == DECIDING["trainer"]


@pytest.mark.parametrize("norm", NORMS.names())
def test_options_of_a_norm_are_all_listed_and_no_other(norm: str) -> None:
    assert set(INTRODUCTION_DEFAULTS.get(f"norm.{norm}", {})) == set(NORMS.get(norm).defaults())


def test_no_table_belongs_to_nothing() -> None:
    assert set(INTRODUCTION_DEFAULTS) <= {*SCHEMAS, *DECIDING, *(f"norm.{norm}" for norm in NORMS.names())}


def test_values_at_introduction_are_frozen() -> None:
    """Append a line for a new option; a line that changes would give every recorded cell another id."""
    frozen = {
        "dataset": '{"data_seed":0,"loss":null,"metric":null,"test_fraction":0.2,"validation_fraction":0.2}',
        "model": '{"activation":"relu","alpha_dropout":false,'
        '"class_path":null,"dropout":0,"hidden":[100,100,100],"initialisation":"he",'
        '"initialisation_std":0.01,"input_norm":false,"logits_norm":false,"norm_placement":"before_activation",'
        '"options":{},"residual":false}',
        "norm.batch": '{"affine":true,"divide_by_deviation":true,"eps":1e-05,"momentum":0.1,"running_statistics":true,'
        '"subtract_mean":true,"unbiased_running_variance":true}',
        "norm.dynamic_tanh": '{"alpha":0.5}',
        "norm.filter_response": '{"eps":1e-06,"learned_eps":0.0001,"threshold":true}',
        "norm.scale": '{"eps":1e-05}',
        "norm.spectral": '{"num_power_iterations":1}',
        "norm.weight_mean_only_batch": '{"momentum":0.1}',
        "norm.batch_renorm": '{"eps":1e-05,"max_scale":3,"max_shift":5,"momentum":0.1,"ramp_steps":400,'
        '"warmup_steps":100}',
        "norm.ghost_batch": '{"eps":1e-05,"ghost_rows":16,"momentum":0.1}',
        "norm.l1_batch": '{"eps":1e-05,"momentum":0.1,"p":1}',
        "norm.noisy_batch": '{"eps":1e-05,"largest_scale":1.25,"largest_shift":0.5,"momentum":0.1,'
        '"scale_deviation":0.1,"shift_spread":0.1}',
        "norm.group": '{"affine":true,"eps":1e-05,"num_groups":4}',
        "norm.instance": '{"affine":false,"eps":1e-05,"num_channels":2}',
        "norm.iterative": '{"eps":1e-05,"momentum":0.1,"num_groups":4,"num_iterations":5}',
        "norm.switchable": '{"eps":1e-05,"momentum":0.1}',
        "norm.layer": '{"affine":true,"eps":1e-05}',
        "norm.rms": '{"affine":true,"eps":1e-05}',
        "optimizer": '{"betas":[0.9,0.999],"clip_gradient_norm":null,"eps":1e-08,"momentum":0.9,"nesterov":false,'
        '"weight_decay":0}',
        "schedule": '{"every_steps":1000,"gamma":0.1}',
        "trainer": '{"compile":false,"precision":"32"}',
    }
    found = {group: canonical_json(options) for group, options in INTRODUCTION_DEFAULTS.items()}
    assert {group: found[group] for group in frozen} == frozen
