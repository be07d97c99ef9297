"""`bnbench.runs diff`: what differs between two cells, and why they are two."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnbench.errors import UserError
from bnbench.records import Record
from bnbench.records.overlap import Results, same_results
from bnbench.reports.cells import plain
from bnbench.runs_commands.answer import Answer, number_of, section, seeds_text
from bnbench.runs_commands.inventory import Cell
from bnbench.runs_commands.showing import flat, text_of

LEFT_OUT = "(left at its default)"  # an identity leaves out what is; elsewhere nothing is nothing
REASONS = {
    "workload.engine_version": "the engine's version: the numbers of every run changed between them",
    "workload.dataset.checksum": "the prepared data: other rows, another split, or another preparation",
    "workload.model.version": "the version of the model's code",
    "entry.version": "the norm's version: its numbers changed between them",
    "entry.norm": "the norm",
    "entry.kind": "the kind of norm",
}


def diff_cells(first: Cell, second: Cell) -> Answer:
    """Return what differs in identity, configuration, environment, targets and results."""
    one, other = first.facts, second.facts
    if one is None or other is None:
        without = first if one is None else second
        raise UserError(f"{without.folder} holds no record that can be read; expected two cells with records")
    parts = {
        "identity": differences(one.identity, other.identity),
        "config": differences(one.config, other.config),
        "environment": differences(one.environment, other.environment),
        "metric": differences(one.metric, other.metric),
        "targets": differences(one.targets or {}, other.targets or {}),
    }
    why = [reason_of(key, pair) for key, pair in parts["identity"].items()]
    lines = [plain(f"A: {first.name}, {first.folder}"), plain(f"B: {second.name}, {second.folder}")]
    same = first.cell_id == second.cell_id
    lines += section("One cell" if same else "Two cells, for they differ in", ["the same identity"] if same else why)
    for title in ("config", "environment", "metric", "targets"):
        lines += section(title.capitalize(), [_line(key, pair) for key, pair in parts[title].items()])
    results = _results(first, second, same_metric=one.metric["name"] == other.metric["name"])
    lines += section("Results", results["lines"])
    data = {
        "a": {"cell_id": first.cell_id, "folder": str(first.folder)},
        "b": {"cell_id": second.cell_id, "folder": str(second.folder)},
        "same_cell": same,
        "why_two_cells": why,
        **{name: {key: list(pair) for key, pair in part.items()} for name, part in parts.items()},
        "results": {key: value for key, value in results.items() if key != "lines"},
    }
    return Answer(lines=lines, data=data)


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the leaves in which two mappings differ, by dotted key; what one of them lacks is None there.

    >>> differences({"norm": {"eps": 1}, "seeds": 3}, {"norm": {"eps": 2}, "seeds": 3})
    {'norm.eps': (1, 2)}
    """
    one, other = ({key: value for key, value in flat(tree).items() if value != {}} for tree in (first, second))
    keys = [*one, *(key for key in other if key not in one)]
    # as texts: 1 == True in Python, but not in JSON
    return {
        key: (one.get(key), other.get(key))
        for key in keys
        if (key in one, text_of(one.get(key))) != (key in other, text_of(other.get(key)))
    }


def reason_of(key: str, pair: tuple[Any, Any]) -> str:
    """Return in words why a leaf of the identity that differs makes two cells, and its two values."""
    values = _values(pair, absent=LEFT_OUT)
    if key in REASONS:
        return plain(f"{REASONS[key]}: {values}")
    return plain(f"option {key.removeprefix('workload.').replace('entry.options', 'norm')}: {values}")


def _line(key: str, pair: tuple[Any, Any]) -> str:
    return plain(f"{key}: {_values(pair, absent='–')}")


def _values(pair: tuple[Any, Any], *, absent: str) -> str:
    return " → ".join(absent if value is None else text_of(value) for value in pair)


def _results(first: Cell, second: Cell, *, same_metric: bool) -> dict[str, Any]:
    common = sorted({*first.seeds}.intersection(second.seeds))
    lines = [
        f"{name}: {number_of(len(cell.seeds), 'seed')} ({seeds_text(cell.seeds)}), "
        f"{sum(entry['status'] == 'diverged' for entry in cell.outcomes)} diverged"
        for name, cell in (("A", first), ("B", second))
    ]
    found: dict[str, Any] = {"common_seeds": common}
    if common and same_metric and first.facts is not None:
        metric = f"val_{first.facts.metric['name']}"
        means = [_mean(cell, metric, common) for cell in (first, second)]
        found["final"] = means
        told = " → ".join("–" if mean is None else f"{mean:.6g}" for mean in means)
        lines.append(f"mean final {metric} over {number_of(len(common), 'common seed')}: {told}")
    if common:
        equal = _equal_seeds(first, second)
        found["identical_seeds"] = equal
        lines.append(f"identical bit for bit, outcome and history: {len(equal)} of {len(common)} common seeds")
    return found | {"lines": lines}


def _mean(cell: Cell, name: str, seeds: list[int]) -> float | None:
    values = [entry["final"].get(name) for entry in cell.outcomes if entry["seed"] in seeds]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return float(np.mean(numbers)) if numbers else None


def _equal_seeds(first: Cell, second: Cell) -> list[int]:
    equal: list[int] = []
    for one in first.records:
        for other in second.records:
            equal += _equal_in(one, other)
    return sorted(equal)


def _equal_in(one: Record, other: Record) -> list[int]:
    seeds = {entry["seed"] for entry in one.seeds}.intersection(entry["seed"] for entry in other.seeds)
    if not seeds:
        return []
    same = same_results(Results.of(one), Results.of(other), seeds)
    return [seed for seed in seeds if same[seed]]
