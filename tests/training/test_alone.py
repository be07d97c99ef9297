"""Replica k is the run of seed k alone, bit for bit, whatever trains beside it: the rule everything rests on."""

from collections.abc import Callable
from typing import Any

import pytest

from bnbench.norms import NORMS

SEEDS = tuple(range(16))
CHUNKS = ((0,), (7,), (15,), (0, 1, 2), (3, 9), (5, 6, 7, 8, 9, 10, 11))

# Each norm meets every setting; between them the settings hold every optimizer, activation, schedule, both precisions,
# widths and batches that fill no vector register, and 1, 3 and 10 outputs.
SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {
        "model__hidden": [100, 36],
        "model__dropout": 0.2,
        "optimizer__name": "sgd",
        "optimizer__weight_decay": 0.01,
        "budget__batch_size": 32,
        "task": {"outputs": 10, "features": 20},
    },
    "momentum": {
        "model__hidden": [13, 13],
        "model__activation": "sigmoid",
        "model__initialisation": "gaussian",
        "model__residual": True,
        "model__dropout": 0.5,
        "optimizer__name": "momentum",
        "optimizer__nesterov": True,
        "optimizer__clip_gradient_norm": 0.5,
        "budget__batch_size": 7,
        "task": {"outputs": 1, "features": 13},
    },
    "adam": {
        "model__hidden": [36, 100],
        "model__activation": "silu",
        "model__norm_placement": "after_activation",
        "model__initialisation": "orthogonal",
        "model__dropout": 0.1,
        "optimizer__name": "adam",
        "optimizer__lr": 0.01,
        "budget__batch_size": 13,
        "trainer__precision": "64",
        "task": {"outputs": 3, "features": 36},
    },
    "adamw": {
        "model__hidden": [52, 52],
        "model__activation": "gelu",
        "model__initialisation": "lecun",
        "model__residual": True,
        "model__input_norm": True,
        "model__dropout": 0.3,
        "optimizer__name": "adamw",
        "optimizer__lr": 0.01,
        "optimizer__weight_decay": 0.1,
        "optimizer__clip_gradient_norm": 1.0,
        "schedule__name": "exponential",
        "budget__batch_size": 60,
        "task": {"outputs": 3, "features": 20},
    },
    "wide": {
        "model__hidden": [100, 100],
        "model__activation": "selu",
        "model__initialisation": "xavier",
        "schedule__name": "step",
        "schedule__every_steps": 2,
        "budget__batch_size": 2,
        "task": {"outputs": 10, "features": 64},
    },
    "double": {
        "model__hidden": [13],
        "model__activation": "tanh",
        "model__dropout": 0.2,
        "optimizer__name": "momentum",
        "optimizer__weight_decay": 0.01,
        "schedule__name": "constant",
        "budget__batch_size": 33,
        "trainer__precision": "64",
        "task": {"outputs": 1, "features": 12},
    },
}
# 13 is prime: there is one group and one channel
OPTIONS_OF_13: dict[str, dict[str, Any]] = {
    "group": {"num_groups": 1},
    "instance": {"num_channels": 1},
    "iterative": {"num_groups": 1},
}


def setting_for(norm: str, setting: str) -> dict[str, Any]:
    options = OPTIONS_OF_13.get(norm, {}) if 13 in SETTINGS[setting]["model__hidden"] else {}
    if norm == "filter_response" and SETTINGS[setting].get("model__input_norm"):
        options = {"threshold": False}  # there is no activation at the inputs for it to replace
    return {**SETTINGS[setting], "norm": {"name": norm, **options}}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("norm", NORMS.names())
def test_replica_equals_its_seed_alone_in_any_company(
    train: Callable[..., Any], assert_same: Callable[..., None], norm: str, setting: str
) -> None:
    options = setting_for(norm, setting)
    together = train(SEEDS, **options)
    for chunk in CHUNKS:
        part = train(chunk, **options)
        for place, seed in enumerate(chunk):
            assert_same(together.numbers(seed), part.numbers(place))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_learning_rates_together_equal_each_rate_alone(
    train: Callable[..., Any], assert_same: Callable[..., None], optimizer: str
) -> None:
    rates = (0.003, 0.1, 0.03)
    options = {
        "norm": "batch",
        "optimizer__name": optimizer,
        "optimizer__weight_decay": 0.1,
        "model__hidden": [36, 13],
        "model__dropout": 0.2,
    }
    together = train([0, 1] * 3, rates=[rate for rate in rates for _ in range(2)], **options)
    for number, rate in enumerate(rates):
        alone = train([1], rates=[rate], **options)
        assert_same(together.numbers(2 * number + 1), alone.numbers(0))


@pytest.mark.parametrize("norm", NORMS.names())
def test_one_replica_after_another_gives_the_same_results_in_any_company(
    train: Callable[..., Any], assert_same: Callable[..., None], norm: str
) -> None:
    options = {**setting_for(norm, "sgd"), "stacked": False}
    together = train((0, 1, 2), **options)
    for seed in (0, 2):
        assert_same(together.numbers(seed), train([seed], **options).numbers(0))


@pytest.mark.parametrize("norm", NORMS.names())
def test_threads_do_not_change_the_results(
    train: Callable[..., Any], assert_same: Callable[..., None], norm: str
) -> None:
    """Wide enough that torch would cut single operations among threads if it were let to."""
    options = {**setting_for(norm, "sgd"), "model__hidden": [100, 100], "budget__max_steps": 3}
    one = train((0, 1, 2), **options)
    two = train((0, 1, 2), **options, trainer__threads=2)
    for place in range(3):
        assert_same(one.numbers(place), two.numbers(place))
    assert_same(one.numbers(1), train([1], **options, trainer__threads=2).numbers(0))


def test_the_settings_cover_what_they_claim() -> None:
    held = {
        key: {setting.get(key) for setting in SETTINGS.values()} for key in ("optimizer__name", "model__activation")
    }
    assert held["optimizer__name"] >= {"sgd", "momentum", "adam", "adamw"}
    assert held["model__activation"] >= {"sigmoid", "tanh", "gelu", "silu", "selu"}


def test_equal_seeds_give_equal_runs_and_different_seeds_different_ones(train: Callable[..., Any]) -> None:
    rows = [train([seed], norm="batch").rows(0) for seed in (0, 1)]
    assert (rows[0][:, 2] != rows[1][:, 2]).all()
