"""Data that are no longer what earlier records of the same configuration were trained on."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bnbench.config import Config
from bnbench.datasets import DatasetConfig, Task
from bnbench.records.check import read_json
from bnbench.records.layout import safe_name

# what decides nothing of the values, or is what they are compared by
NO_MATTER = ("about", "targets", "storage", "metric", "direction", "loss", "checksum")


def changed_lines(config: Config, task: Task) -> list[str]:
    """Return a line where cells of `config.runs_dir` were trained on other values of the same data set.

    The same is one of equal configuration; other values have another checksum, so that they are other cells, which are
    kept and never compared with these.
    """
    wanted = _deciding(asdict(config.dataset))
    others = [checksum for dataset, checksum in _recorded(config) if checksum != task.checksum and dataset == wanted]
    if not others:
        return []
    what = config.dataset.path or f"data set '{task.name}'"
    line = (
        f"{what} has changed, or is read otherwise than then: {len(others)} cell(s) in {config.runs_dir} were trained "
        f"on other values (SHA-256 of the prepared data {others[-1][:8]} there, {task.checksum[:8]} now); they are "
        "kept apart and not compared"
    )
    return [line]


def _recorded(config: Config) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the configuration and checksum of the data of every cell of this name; what cannot be read is none."""
    for cell in sorted(Path(config.runs_dir).glob(f"{safe_name(config.dataset.name)}-*")):
        for path in sorted(cell.glob("*/run.json"))[:1]:
            record = read_json(path)
            if not isinstance(record, dict):
                continue
            try:
                dataset, checksum = record["config"]["dataset"], record["identity"]["workload"]["dataset"]["checksum"]
            except (KeyError, TypeError):
                continue
            if isinstance(dataset, Mapping) and isinstance(checksum, str):
                yield _deciding(dataset), checksum


def _deciding(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that decide what the values are; a record from before a key was known has its default."""
    defaults = asdict(DatasetConfig(name="", source="", preprocessing=""))
    return {key: value for key, value in (defaults | dict(dataset)).items() if key not in NO_MATTER}
