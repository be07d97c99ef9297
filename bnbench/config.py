"""The typed configuration: Hydra composes it, this module checks it, nothing below ever sees a DictConfig."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from math import isfinite
from pathlib import PurePath
from typing import Any, get_args, get_type_hints

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from bnbench.datasets.schema import DatasetConfig
from bnbench.errors import UserError, nearest
from bnbench.secret_values import refuse_secrets

MODELS = ("mlp", "custom")
AUTOMATIC_NAME = "auto"
MOST_SEEDS = 1_000_000  # seeds 0 … n-1 are for scoring; those from here on tune and set targets
LARGEST_SEED = 2**63 - 1  # of the 64 bits of a column of the history


@dataclass
class BudgetConfig:
    """How long and on what batches: steps, rows per step over all ranks, steps between evaluations.

    Null goes by the number of rows.
    """

    max_steps: int | None = MISSING
    batch_size: int | None = MISSING
    eval_every_steps: int | None = MISSING


@dataclass
class ModelConfig:
    """The MLP's shape (`hidden` null goes by the number of rows), or the class path of the user's own network."""

    name: str = MISSING
    hidden: list[int] | None = field(default_factory=lambda: [100, 100, 100])
    activation: str = "relu"
    norm_placement: str = "before_activation"
    residual: bool = False
    dropout: float = 0.0
    alpha_dropout: bool = False
    input_norm: bool = False
    logits_norm: bool = False
    initialisation: str | None = "he"
    initialisation_std: float = 0.01
    class_path: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class OptimizerConfig:
    """The update rule; `lr` is a number, or a list whose members train together as one cell each."""

    name: str = MISSING
    lr: Any = MISSING
    weight_decay: float = 0.0
    momentum: float = 0.9
    nesterov: bool = False
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    eps: float = 1e-8
    clip_gradient_norm: float | None = None


@dataclass
class ScheduleConfig:
    """How the learning rate changes over the steps."""

    name: str = MISSING
    gamma: float = 0.1
    every_steps: int = 1000


@dataclass
class TrainerConfig:
    """What it runs on: accelerator, devices on each of how many nodes, numeric precision, threads of one operation.

    `compile` has torch.compile make the forward and backward pass: other last digits, so other cells.

    More than one device is one process each, with a part of every batch; `sync_batch_statistics` has norms take their
    statistics over all of it. A process that waits for the others longer than `timeout_seconds` fails.
    """

    name: str = MISSING
    accelerator: str = "cpu"
    devices: int = 1
    num_nodes: int = 1
    precision: str = "32"
    compile: bool = False
    threads: int = 1
    sync_batch_statistics: bool = True
    timeout_seconds: float = 1800.0


@dataclass
class TuningConfig:
    """How far the learning rates of the tuned track go beyond those asked for, per side and at most."""

    max_extensions: int = 2


@dataclass
class LoggerConfig:
    """Where curves are mirrored to; the run record is written whatever happens there."""

    name: str = MISSING
    project: str = "bnbench"
    entity: str | None = None
    x_axis: str = "step"


@dataclass
class Config:
    """Everything one job of a sweep needs to know."""

    dataset: DatasetConfig = MISSING
    model: ModelConfig = MISSING
    norm: dict[str, Any] = MISSING
    optimizer: OptimizerConfig = MISSING
    schedule: ScheduleConfig = MISSING
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    trainer: TrainerConfig = MISSING
    logger: LoggerConfig = MISSING
    seeds: Any = 8
    runs_dir: str = "runs"
    track: str = "recipe"
    recipe_lr: float | None = None
    tuning: TuningConfig = field(default_factory=TuningConfig)
    save_weights: str | None = None
    measure_cost: bool = True
    diagnostics: Any = field(default_factory=list)


# in no group, so that it never shows up among the options a user can choose
ConfigStore.instance().store(name="config_schema", node=Config)


def read_config(composed: DictConfig) -> Config:
    """Return the configuration Hydra composed as plain typed objects; raises UserError for values out of range."""
    _check_keys(composed)
    config = OmegaConf.to_object(composed)
    if not isinstance(config, Config):
        raise TypeError(f"the composed configuration is a {type(config).__name__}, expected a Config")
    config = replace(config, dataset=_named(config.dataset))
    check_config(config)
    return config


def _named(dataset: DatasetConfig) -> DatasetConfig:
    """Return the data set with a name: `auto` is that of its file without the endings, or its number at OpenML."""
    if dataset.name != AUTOMATIC_NAME:
        return dataset
    if dataset.path is not None:
        stem = PurePath(dataset.path).name.partition(".")[0]
        name = "_".join(re.findall(r"\w+", stem)).lower() or "table"
    else:
        name = AUTOMATIC_NAME if dataset.openml_id is None else f"openml_{dataset.openml_id}"
    return replace(dataset, name=name)


def _check_keys(node: DictConfig) -> None:
    """Raise UserError for a key that a typed group does not have: Hydra's `+group.key=value` adds it unasked."""
    schema = OmegaConf.get_type(node)
    known = [field.name for field in fields(schema)] if is_dataclass(schema) else list(node)
    for name in node:
        if name not in known:
            key = node._get_full_key(name)
            raise UserError(f"{key} is no key{_of_group(key)}; {nearest(str(name), known)}")
        value = node._get_node(name)
        if isinstance(value, DictConfig) and not value._is_none() and not value._is_missing():
            _check_keys(value)


def _of_group(key: str) -> str:
    return f" of {key.rpartition('.')[0]}" if "." in key else ""


def check_config(config: Config) -> None:
    """Raise UserError for a value that no run can use."""
    refuse_secrets(asdict(config))
    parse_seeds(config.seeds)
    learning_rates(config)
    budget = config.budget
    for key, number in asdict(budget).items():
        if number is not None and number < 1:
            raise UserError(f"budget.{key}={number}: expected at least 1")
    every, most = budget.eval_every_steps, budget.max_steps
    if every is not None and most is not None and every > most:
        raise UserError(
            f"budget.eval_every_steps={budget.eval_every_steps} is beyond budget.max_steps={budget.max_steps}: "
            "nothing would be evaluated on the way"
        )
    if config.model.name not in MODELS:
        raise UserError(f"unknown model '{config.model.name}'; {nearest(str(config.model.name), MODELS)}")
    if config.track not in ("recipe", "tuned"):
        raise UserError(f"track={config.track!r}: expected 'recipe' or 'tuned'")
    _check_tuning(config)
    if config.save_weights is not None and config.track != "tuned":
        raise UserError(
            f"save_weights={config.save_weights}: only a sweep of the tuned track has one winner; set track=tuned "
            "and optimizer.lr to a list, or use +experiment=my_table"
        )
    if config.save_weights is not None and not config.save_weights.endswith(".safetensors"):
        raise UserError(f"save_weights={config.save_weights}: expected a file name that ends with .safetensors")
    _check_numbers(config)


def _check_tuning(config: Config) -> None:
    rate, rates = config.recipe_lr, learning_rates(config)
    if rate is not None and config.track != "tuned":
        raise UserError(
            f"recipe_lr={rate:g} with track={config.track}: only the tuned track has several learning rates, of which "
            "this one is the recipe's; set track=tuned, or optimizer.lr alone"
        )
    if rate is not None and rate not in rates:
        listed = ", ".join(f"{each:g}" for each in rates)
        raise UserError(f"recipe_lr={rate:g} is none of optimizer.lr ({listed}); expected one of them")
    if config.tuning.max_extensions < 0:
        raise UserError(f"tuning.max_extensions={config.tuning.max_extensions}: expected at least 0")


def _check_numbers(config: Config) -> None:
    optimizer, schedule, trainer = config.optimizer, config.schedule, config.trainer
    not_negative = {"optimizer.weight_decay": optimizer.weight_decay, "optimizer.momentum": optimizer.momentum}
    positive: dict[str, float | None] = {
        "optimizer.eps": optimizer.eps,
        "optimizer.clip_gradient_norm": optimizer.clip_gradient_norm,
        "schedule.gamma": schedule.gamma,
        "schedule.every_steps": schedule.every_steps,
        "trainer.threads": trainer.threads,
        "trainer.devices": trainer.devices,
        "trainer.num_nodes": trainer.num_nodes,
        "trainer.timeout_seconds": trainer.timeout_seconds,
        "model.initialisation_std": config.model.initialisation_std,
    }
    for key, value in not_negative.items():
        if not (isfinite(value) and value >= 0):
            raise UserError(f"{key}={value}: expected a number of at least 0")
    for key, number in positive.items():
        if number is not None and not (isfinite(number) and number > 0):
            raise UserError(f"{key}={number}: expected a number above 0")
    if optimizer.nesterov and optimizer.momentum == 0:
        raise UserError("optimizer.nesterov=true with optimizer.momentum=0: expected a momentum above 0")
    if len(optimizer.betas) != 2 or not all(0.0 <= beta < 1.0 for beta in optimizer.betas):
        raise UserError(f"optimizer.betas={optimizer.betas}: expected two numbers in [0, 1)")


def parse_seeds(value: Any) -> tuple[int, ...]:
    """Return the seeds a configuration asks for: an int n means 0 … n-1, a list means itself.

    >>> parse_seeds(3), parse_seeds([5, 0])
    ((0, 1, 2), (0, 5))
    """
    expected = "expected a whole number n (seeds 0 … n-1) or a list of different whole numbers, e.g. seeds=[0,1,2]"
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise UserError(f"seeds={value} asks for no seed; {expected}")
        if value > MOST_SEEDS:
            raise UserError(f"seeds={value} runs into the seeds kept for tuning, from {MOST_SEEDS} on; {expected}")
        return tuple(range(value))
    if not isinstance(value, list | tuple) or any(
        isinstance(seed, bool) or not isinstance(seed, int) for seed in value
    ):
        raise UserError(f"seeds={value!r}: {expected}")
    if not value:
        raise UserError(f"seeds=[] asks for no seed; {expected}")
    repeated = sorted({seed for seed in value if list(value).count(seed) > 1})
    if repeated:
        raise UserError(f"seeds={list(value)} names {repeated} more than once; {expected}")
    if min(value) < 0:
        raise UserError(f"seeds={list(value)}: {min(value)} is below 0; {expected}")
    if max(value) > LARGEST_SEED:
        raise UserError(f"seeds={list(value)}: {max(value)} is above {LARGEST_SEED}; {expected}")
    return tuple(sorted(value))


@dataclass(frozen=True)
class Budget:
    """A budget in numbers."""

    max_steps: int
    batch_size: int
    eval_every_steps: int


def budget_of(config: Config) -> Budget:
    """Return the budget, once what was left to the number of rows is filled in."""
    budget = config.budget
    if budget.max_steps is None or budget.batch_size is None or budget.eval_every_steps is None:
        raise TypeError(f"{budget} is not filled in yet")
    return Budget(budget.max_steps, budget.batch_size, budget.eval_every_steps)


def learning_rates(config: Config) -> tuple[float, ...]:
    """Return the learning rates to train together: one, or the members of a list."""
    value = config.optimizer.lr
    rates = value if isinstance(value, list | tuple) else [value]
    expected = "expected a number above 0, or a list of different ones, e.g. optimizer.lr=[0.01,0.1]"
    for rate in rates:
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not (isfinite(rate) and rate > 0):
            raise UserError(f"optimizer.lr={value!r}: {rate!r} is no learning rate; {expected}")
    if not rates or len(set(rates)) != len(rates):
        raise UserError(f"optimizer.lr={value!r}; {expected}")
    return tuple(float(rate) for rate in rates)


def typed_config(values: Mapping[str, Any]) -> Config:
    """Return the configuration that `as_dict` made, also that of a record of an older release."""
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), values))
    if not isinstance(config, Config):
        raise TypeError(f"the configuration is a {type(config).__name__}, expected a Config")
    return config


def config_as_noted(values: Mapping[str, Any]) -> Config:
    """Return the configuration that this bnbench's `as_dict` made; unlike `typed_config` it checks and costs nothing.

    Raises TypeError for a key that is not ours or one that is missing.
    """
    config: Config = _built(Config, values)
    return config


def _built(schema: Any, values: Mapping[str, Any]) -> Any:
    types = _types(schema)
    return schema(**{name: _value(types[name], value) for name, value in values.items()})


_types = cache(get_type_hints)


def _value(declared: Any, value: Any) -> Any:
    schema = next((each for each in (declared, *get_args(declared)) if is_dataclass(each)), None)
    return value if schema is None or value is None else _built(schema, value)


def as_dict(config: Config) -> dict[str, Any]:
    """Return the configuration as nested plain dicts, as a record holds it."""
    return asdict(config)
