"""The tables of costs: the newest of every entry, on every hardware, whatever a stranger's files hold."""

import json
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bnbench.records import Skipped, load_costs, write_costs
from bnbench.reports.costs import cost_tables, costs_to_json, print_costs

WORKLOAD = "0123456789ab"
CELLS = {"none": "aaaaaaaaaaaa", "batch": "bbbbbbbbbbbb"}


def record_of(entry: str, **config: Any) -> Any:
    return SimpleNamespace(
        workload_id=WORKLOAD,
        entry=entry,
        cell_id=CELLS.get(entry, "cccccccccccc"),
        dataset="digits",
        config=config or {"model": {"hidden": [100, 50]}},
    )


def leave(folder: Path, steps: dict[str, float], *, hardware: str = "One", day: int = 1, **changes: Any) -> None:
    entries = [
        {
            "entry": entry,
            "norm": entry,
            "cell_ids": [record_of(entry).cell_id],
            "step_seconds": step,
            "inference_seconds": 1e-4,
            "peak_memory_bytes": None,
            "parameters": 1234,
            "relative": {"step": round(step / 2e-4, 6), "inference": 1.0, "memory": None, "parameters": None},
        }
        for entry, step in steps.items()
    ]
    content = {
        "hardware": {"text": hardware},
        "measured_at": f"2026-01-{day:02d}T00:00:00+00:00",
        "environment": {},
        "workload": {"num_inputs": 64, "num_outputs": 10, "optimizer": {"name": "sgd"}, "batch_size": 60},
        "workload_ids": [WORKLOAD],
        "entries": entries,
    }
    write_costs(folder, content | changes)


def printed(records: list[Any], folder: Path) -> str:
    written = StringIO()
    console = Console(file=written, width=120, highlight=False, emoji=False)
    print_costs(cost_tables(records, load_costs(folder)), console=console)
    return written.getvalue()


def test_a_table_per_hardware_the_cheapest_step_first_and_the_newest_cost(tmp_path: Path) -> None:
    leave(tmp_path, {"none": 2e-4, "batch": 1e-4})
    leave(tmp_path, {"batch": 3e-4}, day=2)
    leave(tmp_path, {"batch": 7e-4}, hardware="Two", day=3)
    records = [record_of("none"), record_of("batch")]
    tables = cost_tables(records, load_costs(tmp_path))
    found = {table.hardware: [(cost.entry, cost.step_seconds) for cost in table.entries] for table in tables}
    assert found == {"One": [("none", 2e-4), ("batch", 3e-4)], "Two": [("batch", 7e-4)]}
    lines = printed(records, tmp_path).splitlines()
    assert lines[0] == "digits · 64-100-50-10, sgd, batch 60"
    assert lines[1].startswith("One; one replica, without data loading")
    (batch,) = [line for line in lines[:6] if line.startswith("batch")]
    assert batch.split() == ["batch", "300", "1.50", "100", "1.00", "–", "–", "1,234", "–"]


def test_cells_without_a_cost_have_no_row(tmp_path: Path) -> None:
    leave(tmp_path, {"none": 2e-4})
    (table,) = cost_tables([record_of("none"), record_of("layer")], load_costs(tmp_path))
    assert [cost.entry for cost in table.entries] == ["none"]
    assert cost_tables([record_of("layer")], load_costs(tmp_path)) == []


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    entry = "mine[bold red](a='[/]')"
    leave(tmp_path, {entry: 2e-4}, hardware="[blink]One :smile:")
    shown = printed([record_of(entry)], tmp_path)
    assert entry in shown
    assert "[blink]One :smile:" in shown


@pytest.mark.parametrize(
    "workload", [{}, {"num_inputs": "\x1b[2J", "optimizer": 3}, {"optimizer": {"name": ["\u202e"]}, "batch_size": {}}]
)
@pytest.mark.parametrize("config", [{"model": 3}, {"model": {"hidden": "wide"}}, {"model": {"class_path": ["x"]}}])
def test_a_workload_of_nonsense_is_shown_without_harm(
    tmp_path: Path, workload: dict[str, Any], config: dict[str, Any]
) -> None:
    leave(tmp_path, {"none": 2e-4}, workload=workload)
    shown = printed([record_of("none", **config)], tmp_path)
    assert "none" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_json_holds_everything_that_was_read_and_what_was_not(tmp_path: Path) -> None:
    leave(tmp_path, {"none": 2e-4, "batch": 3e-4})
    tables = cost_tables([record_of("none"), record_of("batch")], load_costs(tmp_path))
    skipped = [Skipped(Path("costs/x.json"), "damaged")]
    content = json.loads(costs_to_json(tables, failures=["digits, mine: gone"], skipped=skipped))
    (workload,) = content["workloads"]
    assert workload["datasets"] == ["digits"]
    assert workload["workload_ids"] == [WORKLOAD]
    assert [(entry["entry"], entry["relative"]["step"]) for entry in workload["entries"]] == [
        ("none", 1.0),
        ("batch", 1.5),
    ]
    assert content["failures"] == ["digits, mine: gone"]
    assert content["skipped"] == [{"path": "costs/x.json", "reason": "damaged"}]
