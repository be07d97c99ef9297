"""Which jobs and how many cells a sweep will have: known before the first of them to Hydra's sweeper only."""

from dataclasses import dataclass
from math import prod
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig

RATE = "optimizer.lr"
# none of these groups sets a learning rate, so that sweeping over it leaves their number as it is
LEAVE_THE_RATE = ("dataset", "model", "norm", "schedule", "trainer", "logger", "seeds", "track")


@dataclass(frozen=True, kw_only=True)
class SweepSize:
    """Jobs of a sweep; cells, one for each learning rate of a job, are None where only the jobs themselves know."""

    jobs: int
    cells: int | None


def size_of_sweep(config: DictConfig) -> SweepSize | None:
    """Return the size of the multirun that this configuration was composed for; None for a sweeper of another kind.

    A basic sweep runs the product of what its overrides list; others choose their jobs as they go.
    """
    overrides = _overrides(config)
    if overrides is None:
        return None
    swept: dict[str, list[Any]] = {}
    for override in overrides:
        name = override.get_key_element().lstrip("+")
        swept.pop(name, None)
        if override.is_sweep_override():
            swept[name] = list(override.sweep_iterator())
    jobs = prod(len(choices) for choices in swept.values())
    if any("." not in name and name not in LEAVE_THE_RATE for name in swept):
        return SweepSize(jobs=jobs, cells=None)
    rates = swept.get(RATE) or [config.optimizer.lr]
    cells = jobs // len(rates) * sum(len(rate) if isinstance(rate, list | ListConfig) else 1 for rate in rates)
    return SweepSize(jobs=jobs, cells=cells)


def jobs_of_sweep(config: DictConfig) -> list[list[str]]:
    """Return the overrides of every job of a basic sweep, by its number; nothing for a sweeper of another kind."""
    overrides = _overrides(config)
    return [] if overrides is None else all_jobs(overrides)


# as Hydra has it, whatever is put in its place for a sweep: bnbench/finished_jobs.py
SPLIT_ARGUMENTS = BasicSweeper.split_arguments


def all_jobs(overrides: list[Override]) -> list[list[str]]:
    """Return the overrides of every job, as Hydra makes them of those of the sweep."""
    (jobs,) = SPLIT_ARGUMENTS(overrides, None)
    return jobs


def _overrides(config: DictConfig) -> list[Override] | None:
    """Return what the experiment and the command line override, parsed; None for a sweeper of another kind."""
    if not str(config.hydra.sweeper._target_).endswith(".BasicSweeper"):
        return None
    given = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    return list(parser.parse_overrides([*given, *config.hydra.overrides.task]))
