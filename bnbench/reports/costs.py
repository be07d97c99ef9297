"""What entries cost, as tables for the terminal or as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bnbench.records import Costs, MeasuredCost, Record, Skipped, canonical_json
from bnbench.reports.cells import plain

COSTS_JSON_VERSION = 1
NOTHING = "–"
LEFT_OUT = "without data loading, evaluation and logging"
COLUMNS = ("entry", "step µs", "× none", "inference µs", "× none", "peak MB", "× none", "parameters", "× none")


@dataclass(frozen=True)
class CostTable:
    """What the entries of workloads that cost the same cost on one hardware, the cheapest step first."""

    names: tuple[str, ...]
    network: str
    workload_ids: tuple[str, ...]
    hardware: str
    workload: Mapping[str, Any]
    entries: tuple[MeasuredCost, ...]


def cost_tables(records: Sequence[Record], costs: Costs) -> list[CostTable]:
    """Return the newest cost of every recorded cell on every hardware where it was measured."""
    like: dict[str, list[Record]] = {}
    found: dict[str, dict[str, MeasuredCost]] = {}
    for record in records:
        for hardware in costs.hardware_of(record.workload_id):
            cost = costs.of(record.workload_id, record.entry, record.cell_id, hardware=hardware)
            if cost is None:
                continue
            key = canonical_json([cost.workload, hardware])
            like.setdefault(key, []).append(record)
            entries = found.setdefault(key, {})
            if record.entry not in entries or entries[record.entry].measured_at < cost.measured_at:
                entries[record.entry] = cost
    tables = []
    for key, entries in found.items():
        ordered = tuple(sorted(entries.values(), key=lambda cost: (cost.step_seconds, cost.entry)))
        tables.append(
            CostTable(
                names=tuple(dict.fromkeys(record.dataset for record in like[key])),
                network=_network(like[key][0], ordered[0].workload),
                workload_ids=tuple(dict.fromkeys(record.workload_id for record in like[key])),
                hardware=ordered[0].hardware,
                workload=ordered[0].workload,
                entries=ordered,
            )
        )
    return tables


def print_costs(tables: Sequence[CostTable], *, console: Console | None = None) -> None:
    """Print a table per workload and hardware; every name is a `Text`, so none is read as markup."""
    console = console or Console(highlight=False, emoji=False)
    for table in tables:
        console.print(Text(plain(f"{', '.join(table.names)} · {table.network}"), style="bold"))
        console.print(Text(plain(f"{table.hardware}; one replica, {LEFT_OUT}"), style="dim"))
        drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for column in COLUMNS:
            drawn.add_column(column, justify="left" if column == "entry" else "right", overflow="fold")
        for cost in table.entries:
            drawn.add_row(*(Text(text) for text in _cells(cost)))
        console.print(drawn)
        console.print()


def _network(record: Record, workload: Mapping[str, Any]) -> str:
    """Return what was measured in a few words, such as "64-100-10, sgd, batch 60"; a stranger may have written it."""
    model, optimizer = (
        part if isinstance(part, dict) else {} for part in (record.config.get("model"), workload.get("optimizer"))
    )
    hidden = model.get("hidden")
    middle = hidden if isinstance(hidden, list) and not model.get("class_path") else [model.get("class_path")]
    sizes = [workload.get("num_inputs"), *middle, workload.get("num_outputs")]
    return f"{'-'.join(map(str, sizes))}, {optimizer.get('name')}, batch {workload.get('batch_size')}"


def _cells(cost: MeasuredCost) -> tuple[str, ...]:
    memory = NOTHING if cost.peak_memory_bytes is None else f"{cost.peak_memory_bytes / 1e6:.2f}"
    return (
        plain(cost.entry),
        f"{1e6 * cost.step_seconds:,.0f}",
        _ratio(cost.relative_step),
        f"{1e6 * cost.inference_seconds:,.0f}",
        _ratio(cost.relative_inference),
        memory,
        _ratio(cost.relative_memory),
        f"{cost.parameters:,}",
        _ratio(cost.relative_parameters, digits=3),
    )


def _ratio(value: float | None, *, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def costs_to_json(tables: Sequence[CostTable], *, failures: Sequence[str], skipped: Sequence[Skipped]) -> str:
    """Return the tables, what could not be measured and what was not read as strict JSON."""
    content = {
        "schema_version": COSTS_JSON_VERSION,
        "workloads": [
            {
                "datasets": table.names,
                "network": table.network,
                "workload_ids": table.workload_ids,
                "hardware": table.hardware,
                "workload": table.workload,
                "entries": [_entry(cost) for cost in table.entries],
            }
            for table in tables
        ],
        "failures": list(failures),
        "skipped": [{"path": str(each.path), "reason": each.reason} for each in skipped],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _entry(cost: MeasuredCost) -> dict[str, Any]:
    return {
        "entry": cost.entry,
        "norm": cost.norm,
        "step_seconds": cost.step_seconds,
        "inference_seconds": cost.inference_seconds,
        "peak_memory_bytes": cost.peak_memory_bytes,
        "parameters": cost.parameters,
        "relative": {
            "step": cost.relative_step,
            "inference": cost.relative_inference,
            "memory": cost.relative_memory,
            "parameters": cost.relative_parameters,
        },
        "measured_at": cost.measured_at,
    }
