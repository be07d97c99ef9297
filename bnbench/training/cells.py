"""From one configuration to its cells: what decides their results, their ids, and which seeds are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bnbench.config import Config, TrainerConfig, learning_rates, parse_seeds
from bnbench.datasets import DEFAULT_LOSSES, Task
from bnbench.errors import UserError
from bnbench.introduction_defaults import INTRODUCTION_DEFAULTS
from bnbench.models import model_version
from bnbench.norms import NORMS, ChosenNorm
from bnbench.records import (
    ENGINE_VERSION,
    cell_folder,
    diagnosed_seeds,
    digest,
    record_folder,
    run_ids,
    without_introduction_defaults,
)
from bnbench.seeding import TUNING_SEEDS
from bnbench.training.diagnostics import DIAGNOSTICS
from bnbench.training.diagnostics.asked import asked_diagnostics
from bnbench.training.rank_numbers import may_be_batch_coupled, num_ranks, statistics_are_local

RECIPE = "recipe"
# they choose among learning rates, which takes fewer than telling norms apart
TUNING_RUNS = 3

# What names a data set's rows and how they are measured. How they are read, split and prepared shows in the checksum of
# the prepared tensors, so that two ways to the same tensors are one cell; where they lie and what is said of them
# decides nothing.
DATASET_KEYS = ("name", "preprocessing", "data_seed", "validation_fraction", "test_fraction", "metric", "loss")

# the options a choice uses; the others decide nothing, and the same run must not have two ids
USED_OPTIONS = {
    "optimizer": {
        "sgd": (),
        "momentum": ("momentum", "nesterov"),
        "adam": ("betas", "eps"),
        "adamw": ("betas", "eps"),
    },
    "schedule": {"constant": (), "cosine": (), "step": ("gamma", "every_steps"), "exponential": ("gamma",)},
}
ALWAYS_USED = {"optimizer": ("name", "lr", "weight_decay", "clip_gradient_norm"), "schedule": ("name",)}
USED_BY_CUSTOM_MODELS = ("name", "class_path", "options", "initialisation", "initialisation_std", "logits_norm")


@dataclass(frozen=True)
class Cell:
    """Workload × entry: one learning rate of a configuration, with its ids and its folder."""

    config: Config
    entry: str
    identity: dict[str, Any]
    cell_id: str
    workload_id: str
    folder: Path

    @property
    def learning_rate(self) -> float:
        """Return the base learning rate."""
        return float(self.config.optimizer.lr)

    @property
    def workload_without_rate(self) -> str:
        """Return the id of the workload of the tuned track, where every entry has a learning rate of its own."""
        workload = self.identity["workload"]
        optimizer = {key: value for key, value in workload["optimizer"].items() if key != "lr"}
        return digest({**workload, "optimizer": optimizer})

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the seeds the configuration asks for; on the tuned track also those that choose the learning rate."""
        asked = parse_seeds(self.config.seeds)
        tuning = range(TUNING_SEEDS, TUNING_SEEDS + TUNING_RUNS) if self.config.track == "tuned" else ()
        return (*asked, *(seed for seed in tuning if seed not in asked))

    @property
    def tracks(self) -> tuple[str, ...]:
        """Return the tracks the configuration asks for: the tuned one, and the recipe at its learning rate."""
        track = self.config.track
        return (RECIPE, track) if track != RECIPE and self.learning_rate == self.config.recipe_lr else (track,)

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """Return the diagnostics that are asked for."""
        return asked_diagnostics(self.config)

    def record_folder(self, seeds: Sequence[int]) -> Path:
        """Return where these seeds are recorded: with other diagnostics they lie elsewhere."""
        return record_folder(self.folder, seeds, diagnostics=self.diagnostics)

    def missing_seeds(self) -> tuple[int, ...]:
        """Return the seeds that no finished record holds yet, or none with all diagnostics that are asked for.

        Of copies with some each, one counts and the others are not shown.
        """
        held = diagnosed_seeds(self.folder)
        asked = self.diagnostics
        return tuple(seed for seed in self.seeds if not any(copy.issuperset(asked) for copy in held.get(seed, ())))

    def undiagnosed_seeds(self) -> dict[int, frozenset[str]]:
        """Return the finished seeds that are missing for their diagnostics, each with those it has been asked for."""
        held = diagnosed_seeds(self.folder)
        return {seed: frozenset().union(*held[seed]) for seed in self.missing_seeds() if seed in held}


def plan_cells(config: Config, task: Task, norm: ChosenNorm) -> list[Cell]:
    """Return one cell per learning rate."""
    return [_cell(config, rate, task, norm) for rate in learning_rates(config)]


def _cell(config: Config, rate: float, task: Task, norm: ChosenNorm) -> Cell:
    config = replace(config, optimizer=replace(config.optimizer, lr=rate))
    identity = {
        "workload": workload_identity(config, task),
        "entry": entry_identity(norm, trainer=config.trainer),
    }
    cell_id, workload_id = run_ids(identity)
    folder = cell_folder(config.runs_dir, dataset=task.name, norm=norm.norm.name, cell_id=cell_id)
    entry = norm.entry if identity["entry"].get("sync", True) else norm.entry_with(sync=False)
    return Cell(config, entry, identity, cell_id, workload_id, folder)


def with_earlier_diagnostics(config: Config, cells: Sequence[Cell]) -> Config:
    """Return the configuration, which asks also for what seeds that train again for diagnostics were asked for before.

    So the newer copy of a seed has all that the older one has, and takes its place.
    """
    before = {name for cell in cells for held in cell.undiagnosed_seeds().values() for name in held}
    known = before.intersection(DIAGNOSTICS.names())
    return replace(config, diagnostics=sorted({*asked_diagnostics(config), *known})) if known else config


def workload_identity(config: Config, task: Task) -> dict[str, Any]:
    """Return everything that decides a result except entry and seed, options at their introduction default left out."""
    dataset = {key: value for key, value in asdict(config.dataset).items() if key in DATASET_KEYS}
    # spelled out or left to the kind of the labels, it is the same run
    dataset |= {"metric": task.metric_name, "loss": None if task.loss == DEFAULT_LOSSES[task.kind] else task.loss}
    identity: dict[str, Any] = {
        "engine_version": ENGINE_VERSION,
        "dataset": _without_defaults("dataset", dataset) | {"checksum": task.checksum},
        "model": _without_defaults("model", _used_by_model(asdict(config.model))),
        "optimizer": _without_defaults("optimizer", used_options("optimizer", asdict(config.optimizer))),
        "schedule": _without_defaults("schedule", used_options("schedule", asdict(config.schedule))),
        "budget": asdict(config.budget),
        "trainer": _without_defaults(
            "trainer", {"precision": config.trainer.precision, "compile": config.trainer.compile}
        ),
    }
    if statistics_are_local(config.trainer):
        identity["trainer"]["world_size"] = num_ranks(config.trainer)
    version = model_version(asdict(config.model))
    if version is not None:
        identity["model"]["version"] = version
    return identity


def entry_identity(norm: ChosenNorm, *, trainer: TrainerConfig | None = None) -> dict[str, Any]:
    """Return what makes a contestant: norm, version, and its options without those at their introduction default.

    A norm of the batch whose statistics the trainer leaves to each process is another one.
    """
    options = _without_defaults(f"norm.{norm.norm.name}", norm.options)
    identity = {"norm": norm.norm.name, "version": norm.norm.version, "options": options}
    if trainer is not None and statistics_are_local(trainer) and may_be_batch_coupled(norm):
        identity["sync"] = False
    # a class path may be read as either kind; a registered norm is of one
    return identity if norm.norm.name in NORMS.names() else identity | {"kind": norm.norm.kind}


def used_options(group: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an optimizer or a schedule that decide its numbers."""
    used = ALWAYS_USED[group] + USED_OPTIONS[group][options["name"]]
    return {name: value for name, value in options.items() if name in used}


def refuse_unused(config: Config) -> None:
    """Raise UserError for an option that is set and that the chosen optimizer or schedule does not use."""
    for group in USED_OPTIONS:
        options = asdict(getattr(config, group))
        for name in set(options) - set(used_options(group, options)):
            if options[name] != INTRODUCTION_DEFAULTS[group][name]:
                users = [choice for choice, used in USED_OPTIONS[group].items() if name in used]
                raise UserError(
                    f"{group}.{name}={options[name]} has no effect with {group}={options['name']}; "
                    f"it belongs to {group}={' or '.join(users)}"
                )


def _used_by_model(options: Mapping[str, Any]) -> dict[str, Any]:
    custom = options["name"] == "custom"
    used = {name: value for name, value in options.items() if not custom or name in USED_BY_CUSTOM_MODELS}
    if options["initialisation"] != "gaussian":
        used.pop("initialisation_std")
    return used


def _without_defaults(table: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return without_introduction_defaults(options, INTRODUCTION_DEFAULTS.get(table, {}))


def index_of(cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """Return what an experiment's index holds of these cells."""
    return {
        cell.cell_id: {
            "entry": cell.entry,
            "dataset": cell.config.dataset.name,
            "seeds": list(cell.seeds),
            "tracks": list(cell.tracks),
        }
        for cell in cells
    }
