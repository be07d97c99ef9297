"""`bnbench.runs show`: everything that is recorded of one cell."""

import json
from collections.abc import Mapping
from typing import Any

from bnbench.records import Record
from bnbench.reports.cells import plain
from bnbench.runs_commands.answer import Answer, number_of, section, seeds_text, table
from bnbench.runs_commands.inventory import Cell, value_at

OUTCOME = ("seed", "status", "final", "best", "at step", "test", "spikes", "max loss")


def show_cell(cell: Cell, *, traceback: bool = False) -> Answer:
    """Return the configuration, seeds, timing, environment, commands and failures of a cell."""
    facts = cell.facts
    lines = [plain(cell.name), f"folder: {cell.folder}", f"status: {cell.status}"]
    if facts is not None:
        lines += [f"workload: {plain(facts.workload)} ({facts.workload_id}), track {facts.track}"]
        lines += [f"metric: {facts.metric['name']} ({facts.metric['direction']}), targets: {_targets(facts)}"]
        lines += section("Configuration", flat_lines(facts.config))
    lines += section("Seeds", _seed_lines(cell))
    for record in (*cell.records, *cell.failed):
        lines += section(f"Record {record.path.name}", _record_lines(record))
    failures = [line for record in cell.failed for line in _failure_lines(record, traceback=traceback)]
    lines += section("Failures", failures)
    lines += section("Not counted", [plain(f"{item.path}: {item.reason}") for item in cell.skipped])
    return Answer(lines=lines, data=_data(cell))


def flat(tree: Any, where: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted key; lists and empty mappings are leaves.

    >>> flat({"optimizer": {"lr": 0.1}, "seeds": [0, 1]})
    {'optimizer.lr': 0.1, 'seeds': [0, 1]}
    """
    if not isinstance(tree, Mapping) or not tree:
        return {where: tree}
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= flat(value, f"{where}.{key}" if where else str(key))
    return leaves


def flat_lines(tree: Mapping[str, Any]) -> list[str]:
    """Return "key: value" lines of nested mappings."""
    return [plain(f"{key}: {text_of(value)}") for key, value in flat(tree).items()]


def text_of(value: Any) -> str:
    """Return a value of JSON as text, text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _targets(record: Record) -> str:
    if record.targets is None:
        return "none"
    levels = [f"{level} {text_of(record.targets[level])}" for level in ("easy", "medium", "hard")]
    return plain(", ".join(levels))


def _seed_lines(cell: Cell) -> list[str]:
    facts = cell.facts
    if facts is None or not cell.outcomes:
        return []
    metric = facts.metric["name"]
    names = (f"val_{metric}", f"best_val_{metric}", "best_step", f"test_{metric}")
    rows = []
    for entry in cell.outcomes:
        died = entry["diverged_at_step"]
        status = entry["status"] if died is None else f"diverged at step {died}"
        numbers = [_number(entry["final"].get(name)) for name in names]
        rows.append((str(entry["seed"]), status, *numbers, _number(entry["spikes"]), _number(entry["max_loss"])))
    return table(OUTCOME, rows)


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _record_lines(record: Record) -> list[str]:
    timing = record.timing
    seconds = "–" if timing["train_seconds"] is None else f"{timing['train_seconds']:.1f} s"
    seeds = [entry["seed"] for entry in record.raw["seeds"]]
    return [
        f"seeds {seeds_text(seeds)}, {number_of(record.rows, 'row')}",
        f"trained {seconds} for {number_of(timing['replicas'], 'replica')}, {number_of(timing['steps'], 'step')}",
        *flat_lines(record.environment),
    ]


def _failure_lines(record: Record, *, traceback: bool) -> list[str]:
    error = record.error or {}
    seeds = seeds_text([entry["seed"] for entry in record.seeds])
    lines = [f"seeds {seeds}: {plain(error.get('type', ''))}: {plain(error.get('message', ''))}"]
    command = value_at(record.environment, "command")
    if isinstance(command, str) and command:
        lines.append(f"  again: {plain(command)}")
    if traceback:
        lines += [f"  {plain(line)}" for line in error.get("traceback", "").splitlines()]
    return lines


def _data(cell: Cell) -> dict[str, Any]:
    return {
        "cell_id": cell.cell_id,
        "folder": str(cell.folder),
        "status": cell.status,
        "records": [{"path": str(record.path), **record.raw} for record in (*cell.records, *cell.failed)],
        "skipped": [{"path": str(item.path), "reason": item.reason} for item in cell.skipped],
    }
