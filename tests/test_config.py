"""Values that no run can use are refused by key, value and what was expected."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnbench.config import (
    BudgetConfig,
    Config,
    LoggerConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainerConfig,
    TuningConfig,
    as_dict,
    check_config,
    learning_rates,
    parse_seeds,
    typed_config,
)
from bnbench.datasets import DatasetConfig
from bnbench.errors import UserError

KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"


def config_with(**changes: Any) -> Config:
    config = Config(
        dataset=DatasetConfig("toy", "arrays", "none", "accuracy", "max"),
        model=ModelConfig(name="mlp"),
        norm={"name": "none"},
        optimizer=OptimizerConfig(name="sgd", lr=0.1),
        schedule=ScheduleConfig(name="constant"),
        budget=BudgetConfig(max_steps=10, batch_size=4, eval_every_steps=5),
        trainer=TrainerConfig(name="cpu"),
        logger=LoggerConfig(name="none"),
    )
    for key, value in changes.items():
        group, _, option = key.partition("__")
        if option:
            setattr(getattr(config, group), option, value)
        else:
            setattr(config, group, value)
    return config


@pytest.mark.parametrize(
    ("value", "seeds"),
    [(1, (0,)), (3, (0, 1, 2)), ([0], (0,)), ([7, 0, 3], (0, 3, 7)), ((5,), (5,)), ([2**63 - 1], (2**63 - 1,))],
)
def test_number_means_the_first_seeds_and_list_means_itself(value: Any, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(value) == seeds


@given(st.sets(st.integers(0, 2**62), min_size=1))
def test_seeds_come_out_sorted_and_complete(seeds: set[int]) -> None:
    assert parse_seeds(list(seeds)) == tuple(sorted(seeds))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, r"seeds=0 asks for no seed"),
        (-3, r"seeds=-3 asks for no seed"),
        ([], r"seeds=\[\] asks for no seed"),
        ([0, 1, 0], r"seeds=\[0, 1, 0\] names \[0\] more than once"),
        ([-1, 2], r"seeds=\[-1, 2\]: -1 is below 0"),
        (True, r"seeds=True"),
        ([True, 2], r"seeds=\[True, 2\]"),
        ("8", r"seeds='8'"),
        ("0,1", r"seeds='0,1'"),
        (2.0, r"seeds=2.0"),
        ([0.0, 1.0], r"seeds=\[0.0, 1.0\]"),
        (["a"], r"seeds=\['a'\]"),
        (1_000_001, r"seeds=1000001 runs into the seeds kept for tuning, from 1000000 on"),
        ([0, 2**63], r"seeds=\[0, 9223372036854775808\]: 9223372036854775808 is above 9223372036854775807"),
        (None, r"seeds=None"),
        ({"first": 0}, r"seeds=\{'first': 0\}"),
    ],
)
def test_what_is_no_choice_of_seeds_is_refused(value: Any, message: str) -> None:
    with pytest.raises(UserError, match=rf"{message}.*expected a whole number n \(seeds 0 … n-1\) or a list"):
        parse_seeds(value)


@pytest.mark.parametrize(("value", "rates"), [(0.1, (0.1,)), (1, (1.0,)), ([0.1, 0.01], (0.1, 0.01)), ((2,), (2.0,))])
def test_rate_and_list_of_rates_are_read(value: Any, rates: tuple[float, ...]) -> None:
    assert learning_rates(config_with(optimizer__lr=value)) == rates


@pytest.mark.parametrize(
    "value",
    [0, -0.1, float("nan"), float("inf"), True, "0.1", None, [], [0.1, 0.1], [0.1, -1], [0.1, "x"], [1, True], [[0.1]]],
)
def test_what_is_no_learning_rate_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"optimizer\.lr=.*expected a number above 0, or a list of different ones"):
        learning_rates(config_with(optimizer__lr=value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("budget.max_steps", 0),
        ("budget.batch_size", 0),
        ("budget.batch_size", -1),
        ("budget.eval_every_steps", 0),
        ("budget.eval_every_steps", 11),
        ("optimizer.weight_decay", -0.1),
        ("optimizer.weight_decay", float("nan")),
        ("optimizer.momentum", -0.1),
        ("optimizer.eps", 0.0),
        ("optimizer.betas", [0.9]),
        ("optimizer.betas", [0.9, 1.0]),
        ("optimizer.betas", [-0.1, 0.9]),
        ("optimizer.clip_gradient_norm", 0.0),
        ("optimizer.clip_gradient_norm", float("inf")),
        ("schedule.gamma", 0.0),
        ("schedule.every_steps", 0),
        ("trainer.threads", 0),
        ("trainer.devices", 0),
        ("model.initialisation_std", 0.0),
    ],
)
def test_number_out_of_range_is_named_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"{key}={str(value).replace('[', '.').replace(']', '.')}"):
        check_config(config_with(**{key.replace(".", "__"): value}))


def test_track_is_one_of_two() -> None:
    check_config(config_with(track="tuned"))
    with pytest.raises(UserError, match="track='best': expected 'recipe' or 'tuned'"):
        check_config(config_with(track="best"))


@pytest.mark.parametrize(
    ("name", "message"),
    [("mpl", "unknown model 'mpl'; did you mean 'mlp'\\? Choose from: custom, mlp"), ("", "unknown model ''; Choose")],
)
def test_unknown_model_is_answered_with_the_known_ones(name: str, message: str) -> None:
    check_config(config_with(model__name="custom"))
    with pytest.raises(UserError, match=message):
        check_config(config_with(model__name=name))


def test_nesterov_needs_a_momentum() -> None:
    check_config(config_with(optimizer__nesterov=True))
    config = config_with(optimizer__nesterov=True, optimizer__momentum=0.0)
    with pytest.raises(UserError, match=r"optimizer.nesterov=true with optimizer.momentum=0: expected a momentum"):
        check_config(config)


def test_configuration_at_its_defaults_is_fine_and_plain_data() -> None:
    config = config_with()
    check_config(config)
    assert as_dict(config)["optimizer"]["betas"] == [0.9, 0.999]


def test_no_clipping_is_no_number_to_check() -> None:
    check_config(config_with(optimizer__clip_gradient_norm=None))


def test_the_recipe_of_the_tuned_track_is_one_of_its_rates() -> None:
    check_config(config_with(track="tuned", recipe_lr=0.1, optimizer__lr=[0.01, 0.1]))
    check_config(config_with(track="tuned", recipe_lr=0.1, optimizer__lr=0.1))
    with pytest.raises(UserError, match=r"recipe_lr=0\.03 is none of optimizer\.lr \(0\.01, 0\.1\); expected one"):
        check_config(config_with(track="tuned", recipe_lr=0.03, optimizer__lr=[0.01, 0.1]))


def test_a_recipe_s_rate_beside_the_recipe_track_is_refused() -> None:
    with pytest.raises(UserError, match=r"recipe_lr=0\.1 with track=recipe: only the tuned track has several"):
        check_config(config_with(recipe_lr=0.1))


def test_extensions_are_counted_from_0() -> None:
    check_config(config_with(tuning=TuningConfig(max_extensions=0)))
    with pytest.raises(UserError, match=r"tuning\.max_extensions=-1: expected at least 0"):
        check_config(config_with(tuning=TuningConfig(max_extensions=-1)))


def test_a_configuration_comes_back_from_what_a_record_holds_of_it() -> None:
    config = config_with(track="tuned", optimizer__lr=[0.01, 0.1], recipe_lr=0.1)
    assert typed_config(as_dict(config)) == config
    older = {key: value for key, value in as_dict(config).items() if key not in ("recipe_lr", "tuning")}
    assert typed_config(older).tuning == TuningConfig()


@pytest.mark.parametrize(
    "changes",
    [
        {"norm": {"name": "batch", "api_key": KEY}},
        {"model": ModelConfig(name="custom", options={"service": {"token": KEY}})},
        {"logger": LoggerConfig(name="wandb", project=KEY)},
        {"logger": LoggerConfig(name="wandb", entity=f"me-{KEY}")},
    ],
)
def test_a_secret_among_the_keys_is_refused_unshown(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with pytest.raises(UserError, match="every key is recorded") as refused:
        check_config(config_with(**changes))
    assert KEY not in str(refused.value)


def test_options_that_only_sound_like_secrets_are_no_trouble() -> None:
    check_config(config_with(model=ModelConfig(name="custom", options={"token": "cls", "num_tokens": 64})))
