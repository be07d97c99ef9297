"""`bnbench.compare`: which norm for this table, from Python."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import ArrayLike
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bnbench.config import (
    BudgetConfig,
    Config,
    LoggerConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainerConfig,
    check_config,
)
from bnbench.datasets import DatasetConfig, Task, from_arrays
from bnbench.errors import UserError, nearest
from bnbench.models import check_model
from bnbench.norms import choose_norm
from bnbench.records import load_records
from bnbench.scoring import Board, score
from bnbench.training.automatic_targets import REFERENCE, with_targets
from bnbench.training.fit import check_training
from bnbench.training.job import run_job

MOST_LETTERS = 100

Options = TypeVar("Options", ModelConfig, OptimizerConfig, BudgetConfig)


def compare(
    norms: Iterable[str | Mapping[str, Any]],
    X: ArrayLike,
    y: ArrayLike,
    *,
    model: Mapping[str, Any] | None = None,
    optimizer: Mapping[str, Any] | None = None,
    seeds: int | Sequence[int] = 8,
    max_steps: int = 1000,
    batch_size: int = 60,
    eval_every_steps: int = 25,
    name: str = "table",
    kind: str | None = None,
    runs_dir: str | Path = "runs",
    diagnostics: str | Sequence[str] = (),
) -> Board:
    """Train every norm on the table with paired seeds and return the board.

    `norms` are names, or mappings with a name and options; the reference `none` is added if it is not among them. `X`
    is (rows, features), `y` (rows,). `model` and `optimizer` hold keys of their configuration groups, `model` also
    `class_path` for a network of your own. The target is set by the automatic rule from runs of the reference on
    reserved seeds; where the reference learns nothing there is none, and the notes of the board say so. Records are
    written to `runs_dir` and reused; `diagnostics` are names of what to look at inside the networks, or "all". Raises
    UserError for bad input.
    """
    entries = _entries(norms)
    if not (name.strip() and name.isprintable() and len(name) <= MOST_LETTERS):
        raise UserError(f"name={name!r}: expected a short text of printable characters, at most {MOST_LETTERS}")
    base = from_arrays(X, y, name=name, kind=kind)  # type: ignore[arg-type]  # checked inside
    config = Config(
        dataset=_dataset_config(base),
        model=_options(_model_defaults(model or {}), model or {}, group="model"),
        norm={},
        optimizer=_options(OptimizerConfig(name="adam", lr=0.001), optimizer or {}, group="optimizer"),
        schedule=ScheduleConfig(name="constant"),
        budget=_options(
            BudgetConfig(),
            {"max_steps": max_steps, "batch_size": batch_size, "eval_every_steps": eval_every_steps},
            group="budget",
        ),
        trainer=TrainerConfig(name="cpu"),
        logger=LoggerConfig(name="none"),
        seeds=seeds,
        runs_dir=str(runs_dir),
        diagnostics=diagnostics if isinstance(diagnostics, str) else list(diagnostics),
    )
    if isinstance(config.optimizer.lr, list | tuple):
        raise UserError(
            f"optimizer.lr={config.optimizer.lr}: compare() takes one learning rate, so that entries compare"
        )
    configs = [replace(config, norm=entry) for entry in entries]
    for each in configs:
        check_config(each)
        check_model(asdict(each.model))
        check_training(each, base, choose_norm(each.norm))
    task, why_no_target = with_targets(config, base, command="bnbench.compare")
    cells = [cell for each in configs for cell in run_job(each, task=task, command="bnbench.compare", wait=True)]
    failed = [f"{cell.name}: {cell.error}" for cell in cells if cell.error]
    if failed:
        raise UserError("; ".join(failed))
    board = score(load_records(*sorted({cell.folder for cell in cells})), reference=REFERENCE, curves=True)
    return board if why_no_target is None else replace(board, notes=(why_no_target, *board.notes))


def _entries(norms: Iterable[str | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every norm as a mapping with a name, the reference first where it was not asked for."""
    if isinstance(norms, str | Mapping):
        raise UserError(f"norms={norms!r}: expected a list, e.g. norms=[{norms!r}]")
    entries = [{"name": norm} if isinstance(norm, str) else dict(norm) for norm in norms]
    if not entries:
        raise UserError("norms=[] names no norm, e.g. norms=['batch']")
    for entry in entries:
        if "name" not in entry:
            raise UserError(f"norms: {entry} has no name, e.g. {{'name': 'group', 'num_groups': 2}}")
    if not any(entry["name"] == REFERENCE for entry in entries):
        entries.insert(0, {"name": REFERENCE})
    return entries


def _dataset_config(task: Task) -> DatasetConfig:
    return DatasetConfig(
        name=task.name,
        source="arrays",
        preprocessing="standardize",
        metric=task.metric_name,
        direction=task.direction,
    )


def _model_defaults(given: Mapping[str, Any]) -> ModelConfig:
    return ModelConfig(name="custom", initialisation=None) if given.get("class_path") else ModelConfig(name="mlp")


def _options(defaults: Options, given: Mapping[str, Any], *, group: str) -> Options:
    """Return the defaults with the given keys set; raises UserError for an unknown key or a value of another type."""
    known = [field.name for field in fields(defaults)]
    node = OmegaConf.structured(defaults)
    for key, value in given.items():
        if key not in known:
            raise UserError(f"{group}.{key} is no key; {nearest(key, known)}")
        try:
            node[key] = value
        except OmegaConfBaseException as error:
            said = (error.msg or str(error)).splitlines()[0]
            raise UserError(f"{group}.{key}={value!r}: {said}") from error
    options = OmegaConf.to_object(node)
    if not isinstance(options, type(defaults)):
        raise TypeError(f"{group} became a {type(options).__name__}, expected a {type(defaults).__name__}")
    return options
